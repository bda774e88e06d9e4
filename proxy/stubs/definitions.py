"""The stubs as SQL: each function and view in both spellings, and the functions behind them.

Made from `signatures`, so that they cannot differ from what the proxy answers.  Pure; running them is `installing.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from typing import Literal, NamedTuple

from clone_engine.ddl.stubs import STUB_COMMENT
from proxy.calls.expressions import TYPES, declared
from proxy.calls.names import PREFIX, SCHEMA
from proxy.calls.signatures import FUNCTIONS, VIEW, VIEW_COLUMNS, Columns, Signature


class Stub(NamedTuple):
    """One object."""

    kind: Literal["SCHEMA", "FUNCTION", "VIEW"]
    identity: str
    """As it is named in DROP; the same as in objects.sql."""
    definition: str
    comment: str
    """What \\dd and schema browsers show; begins with STUB_COMMENT."""
    privilege: Literal["USAGE", "EXECUTE", "SELECT"]
    """What everybody is granted."""


def stubs() -> list[Stub]:
    """All of them, each behind those that it needs."""
    return [
        Stub("SCHEMA", SCHEMA, f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}", _comment("the functions"), "USAGE"),
        *(_internal(*row) for row in INTERNALS),
        *(_function(spelled, signature) for signature in FUNCTIONS for spelled in _spellings(signature.name)),
        *(_view(spelled) for spelled in _spellings(VIEW)),
    ]


def flat_names() -> list[str]:
    """The names that they have in the schema public."""
    return [PREFIX + name for name in [*(signature.name for signature in FUNCTIONS), VIEW]]


def short_names() -> list[str]:
    """The names that they have in the schema pgclone."""
    return [*(signature.name for signature in FUNCTIONS), VIEW, *(f"_{name}" for name, _, _ in INTERNALS)]


INTERNALS = (
    ("look", "oid, boolean", "reads what the proxy has replied"),
    ("say", "jsonb", "says something to the proxy"),
    ("fail", "jsonb", "raises an error of the proxy"),
    ("call", "text, boolean, boolean, jsonb", "hands a call to the proxy and waits for its reply"),
)
"""The functions behind the stubs: file and name, types of the arguments, what it does."""


def _internal(name: str, types: str, does: str) -> Stub:
    definition = (files(__package__) / f"{name}.sql").read_text(encoding="utf-8")
    return Stub("FUNCTION", f'{SCHEMA}."_{name}"({types})', definition, _comment(does), "EXECUTE")


def _spellings(name: str) -> tuple[str, str]:
    return f'{SCHEMA}."{name}"', f'public."{PREFIX}{name}"'


def _function(spelled: str, signature: Signature) -> Stub:
    arguments = ", ".join(map(str, signature.arguments))
    returns, language, body = _rows(signature) if signature.columns else _scalar(signature)
    strict = " STRICT" if signature.strict else ""
    definition = (
        f"CREATE OR REPLACE FUNCTION {spelled}({arguments}) RETURNS {returns}\n"
        f"LANGUAGE {language} VOLATILE{strict} PARALLEL UNSAFE\n"
        f"AS $stub$\n{body}\n$stub$"
    )
    identity = f"{spelled}({', '.join(a.type for a in signature.arguments)})"
    return Stub(
        "FUNCTION",
        identity,
        definition,
        _comment(f"{signature.flat}(), answered by the proxy that the session goes through"),
        "EXECUTE",
    )


def _view(spelled: str) -> Stub:
    definition = f"CREATE OR REPLACE VIEW {spelled} AS {_select(_call('progress_detail', ''), VIEW_COLUMNS)}"
    return Stub("VIEW", spelled, definition, _comment("one row for each job"), "SELECT")


def _scalar(signature: Signature) -> tuple[str, str, str]:
    """What it returns, in which language it is written, and its body."""
    value = f"({_call_of(signature)} OPERATOR(pg_catalog.#>>) '{{}}')::{TYPES[signature.returns]}"
    return signature.returns, "plpgsql", f"BEGIN\n    RETURN {value};\nEND"


def _rows(signature: Signature) -> tuple[str, str, str]:
    """As _scalar.  PL/pgSQL would not take an argument and a column of one name."""
    columns = signature.columns
    return f"TABLE ({declared(columns)})", "sql", _select(_call_of(signature), columns)


def _select(call: str, columns: Columns) -> str:
    return f"SELECT * FROM pg_catalog.jsonb_to_recordset({call}) AS t({declared(columns)})"


def _call_of(signature: Signature) -> str:
    arguments = ", ".join(_pairs(signature))
    action = signature.role == "action"
    return _call(signature.name, arguments, action=action, writes=action and not signature.read_only)


def _pairs(signature: Signature) -> Iterator[str]:
    for number, argument in enumerate(signature.arguments, 1):
        yield f"'{argument.name}', ${number}"


def _call(name: str, arguments: str, *, action: bool = False, writes: bool = False) -> str:
    return f"{SCHEMA}._call('{name}', {action}, {writes}, pg_catalog.jsonb_build_object({arguments}))"


def _comment(text: str) -> str:
    return f"{STUB_COMMENT}: {text}"
