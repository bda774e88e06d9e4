"""What PostgreSQL itself says to a case: a database in which functions and views of these names really exist.

They return what the recording proxy's jobs are, and an action only counts; so a server asked directly and the proxy in
front of a server without them must say the same, message by message.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from proxy.calls.names import PREFIX, SCHEMA
from proxy.calls.signatures import FUNCTIONS, VIEW, VIEW_COLUMNS, Signature
from tests.harness.corpus.recorder import FIRST_JOB, one_row
from tests.harness.corpus.talk import Messages

COLUMNS = ", ".join(f"{name} {type_}" for name, type_ in VIEW_COLUMNS)
UNLOGGED_SEQUENCES = 15
"""From this version on the calls are counted in one: writing to the log would count as a trace (stage.py)."""
COUNTED = f"SELECT last_value - {FIRST_JOB - 1} FROM public.pgclone_calls"
COUNT_ANEW = f"SELECT setval('public.pgclone_calls', {FIRST_JOB - 1})"
COMPARED_FIELDS = b"SCMP"
"""Of errors and notices: severity, SQLSTATE, message, position.  Details and hints are the proxy's own."""
_OF_A_RESULT = (b"T", b"D")


def definitions(snapshot: dict[str, Any], major: int) -> str:
    """The statements that make the functions and views, in both spellings, over this snapshot of the jobs, on a server
    of this version."""
    unlogged = "UNLOGGED" if major >= UNLOGGED_SEQUENCES else ""
    data = _literal(json.dumps(snapshot)) + "::jsonb"
    spellings = [(f"public.{PREFIX}", signature) for signature in FUNCTIONS]
    spellings += [(f"{SCHEMA}.", signature) for signature in FUNCTIONS]
    return "\n".join(
        [
            f"CREATE SCHEMA {SCHEMA}; CREATE {unlogged} SEQUENCE public.pgclone_calls START {FIRST_JOB};",
            *(_function(prefix, signature, data) for prefix, signature in spellings),
            f"CREATE VIEW public.{PREFIX}{VIEW} AS SELECT * FROM public.{PREFIX}progress_detail();",
            f"CREATE VIEW {SCHEMA}.{VIEW} AS SELECT * FROM {SCHEMA}.progress_detail();",
        ]
    )


def compared(said: Messages) -> list[tuple[bytes, Any]]:
    """The messages without what must differ: which table a column is of, where in the sources an error was raised,
    and how many rows of a statement came before its error."""
    kept: Messages = []
    for kind, body in said:
        while kind == b"E" and kept and kept[-1][0] in _OF_A_RESULT:
            kept.pop()
        kept.append((kind, body))
    return [(kind, _compared(kind, body)) for kind, body in kept]


def _function(prefix: str, signature: Signature, data: str) -> str:
    arguments = ", ".join(map(str, signature.arguments))
    rows = bool(signature.columns)
    if rows and signature.role == "action":
        return _action_with_rows(prefix, signature, arguments)
    returns = f"TABLE ({COLUMNS})" if rows else signature.returns
    return (
        f"CREATE FUNCTION {prefix}{signature.name}({arguments}) RETURNS {returns} LANGUAGE plpgsql VOLATILE"
        f"{' STRICT' if signature.strict else ''}{' ROWS 100' if rows else ''}"
        " SET search_path = pg_catalog SET standard_conforming_strings = on AS "
        + _literal(f"#variable_conflict use_column\nDECLARE result text; BEGIN {_body(signature, data)} END")
        + ";"
    )


def _body(signature: Signature, data: str) -> str:
    if signature.columns:
        return f"RETURN QUERY SELECT * FROM jsonb_to_recordset({data} -> '{signature.section}') AS t({COLUMNS});"
    if signature.role == "read" and signature.arguments:
        return f"""
            result := {data} -> '{signature.section}' ->> job_id::text;
            IF result IS NULL THEN RAISE 'pgclone: job % not found', job_id USING ERRCODE = 'P0002'; END IF;
            RETURN result;"""
    if signature.role == "read":
        return f"RETURN {data} ->> '{signature.section}';"
    return _action(signature)


def _action_with_rows(prefix: str, signature: Signature, arguments: str) -> str:
    """In SQL, since PL/pgSQL takes no argument and column of one name; so another function counts."""
    columns = ", ".join(map(" ".join, signature.columns))
    counting = _literal(f"DECLARE result text; BEGIN {_action(signature)} END")
    rows = f"jsonb_to_recordset({_literal(json.dumps([one_row(signature)]))}) AS t({columns})"
    return f"""
        CREATE OR REPLACE FUNCTION public.pgclone_counted_{signature.name}(source_conninfo text) RETURNS text
        LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog AS {counting};
        CREATE FUNCTION {prefix}{signature.name}({arguments}) RETURNS TABLE ({columns}) LANGUAGE sql VOLATILE STRICT
        ROWS 100 AS {_literal(f"SELECT t.* FROM public.pgclone_counted_{signature.name}($1::text), {rows}")};"""


def _action(signature: Signature) -> str:
    bad = "source_conninfo = 'bad'" if any(a.name == "source_conninfo" for a in signature.arguments) else "false"
    return f"""
        IF {not signature.read_only} AND current_setting('transaction_read_only')::boolean THEN
            RAISE 'cannot execute {signature.flat}() in a read-only transaction' USING ERRCODE = '25006';
        END IF;
        result := nextval('public.pgclone_calls');
        IF {bad} THEN RAISE 'pgclone: could not connect to source' USING ERRCODE = '08001'; END IF;
        RETURN {"result" if signature.returns == "integer" else "'OK'"};"""


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _compared(kind: bytes, body: bytes) -> Any:
    if kind in (b"E", b"N"):
        return [field for field in body.split(b"\0") if field[:1] in COMPARED_FIELDS]
    return list(_columns(body)) if kind == b"T" else body


def _columns(body: bytes) -> Iterator[bytes]:
    at = 2
    while at < len(body):
        end = body.index(b"\0", at)
        yield body[at:end] + b":" + body[end + 7 : end + 19]
        at = end + 19
