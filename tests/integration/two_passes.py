"""Runs rewritten statements on a server over libpq, without a proxy: snapshot, two passes, marked errors.

A second, small way to drive `proxy.calls` next to the session's, so that the SQL it makes can be tested alone.
Jobs are numbers from FIRST_JOB on, in the order of the calls; a source "bad" cannot be reached.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from psycopg import pq

from clone_engine.records.errors import PgError
from proxy.calls.confidential import revealed
from proxy.calls.recording import (
    CLEAR_ANSWER,
    CLEAR_COLLECT,
    READ_LOG,
    marked_error,
    parse_log,
    result_data,
    same_calls,
)
from proxy.calls.refusals import changing_arguments
from proxy.calls.rewrite import Rendered, Rewritten, join, rewrite
from proxy.calls.signatures import VIEW_COLUMNS, Call
from proxy.calls.splice import Template
from tests.harness.corpus.recorder import one_row

Parameters = Sequence[str | None] | None

FIRST_JOB = 101
JOBS: list[dict[str, Any]] = [
    {"job_id": 7, "status": "running", "op_type": "schema", "schema_name": "sales", "table_name": "", "rows_copied": 5,
     "start_time": "2026-01-01T10:00:00+00:00", "pct_complete": 60.0, "progress_bar": "[█░] 60.0%"},
    {"job_id": 8, "status": "completed", "op_type": "table", "schema_name": "hr", "table_name": "emp", "rows_copied": 9,
     "start_time": "2026-01-02T10:00:00+00:00", "pct_complete": 100.0, "progress_bar": "[██] 100.0%"},
]  # fmt: skip
PROGRESS = {str(job["job_id"]): json.dumps({"job_id": job["job_id"], "status": job["status"]}) for job in JOBS}
SNAPSHOT: dict[str, Any] = {
    "j": [[job.get(name) for name, _ in VIEW_COLUMNS] for job in JOBS],
    "d": JOBS,
    "p": PROGRESS,
    "l": json.dumps([{"job_id": job["job_id"]} for job in JOBS]),
    "v": "pgclone 1.0",
}


class Outcome(NamedTuple):
    """What a client would have seen of a string's last result."""

    rows: tuple[tuple[str | None, ...], ...] = ()
    columns: tuple[str, ...] = ()
    types: tuple[int, ...] = ()
    tag: str = ""
    sqlstate: str = ""
    position: int = 0
    message: str = ""


class ServerError(Exception):
    """The server refused a rewritten statement."""

    def __init__(self, result: pq.abc.PGresult, sent: Rendered) -> None:
        def text(field: pq.DiagnosticField) -> str:
            return (result.error_field(field) or b"").decode()

        fields = {"C": text(pq.DiagnosticField.SQLSTATE), "M": text(pq.DiagnosticField.MESSAGE_PRIMARY)}
        fields["D"] = text(pq.DiagnosticField.MESSAGE_DETAIL)
        position = sent.client_position(int(text(pq.DiagnosticField.STATEMENT_POSITION) or 0))
        self.error = marked_error(fields) or PgError(fields["C"], fields["M"], position=position)


def outcome(run: Callable[[], pq.abc.PGresult]) -> Outcome:
    """What a client sees of this."""
    try:
        result = run()
    except (PgError, ServerError) as raised:
        error = raised.error if isinstance(raised, ServerError) else raised
        return Outcome(sqlstate=error.sqlstate, position=error.position, message=error.message)
    columns = range(result.nfields)
    return Outcome(
        tuple(tuple(_text(result.get_value(row, column)) for column in columns) for row in range(result.ntuples)),
        tuple(_text(result.fname(column)) or "" for column in columns),
        tuple(result.ftype(column) for column in columns),
        _text(result.command_status) or "",
    )


def send(
    connection: pq.abc.PGconn, sent: Rendered, parameters: Parameters = None, types: list[int] | None = None
) -> pq.abc.PGresult:
    """Run a text, as a Query without `parameters`.  ServerError if the server refuses it."""
    if parameters is None:
        result = connection.exec_(sent.text.encode())
    else:
        values = [None if value is None else value.encode() for value in parameters]
        result = connection.exec_params(sent.text.encode(), values, types)
    if result.status == pq.ExecStatus.COPY_OUT:
        while connection.get_copy_data(0)[0] > 0:
            pass
        while more := connection.get_result():
            result = more
    if result.status == pq.ExecStatus.FATAL_ERROR:
        raise ServerError(result, sent)
    return result


def plain(sql: str) -> Rendered:
    """A text that is sent as it is."""
    return Template.of(sql, 0, len(sql)).render("")


class TwoPasses:
    """One connection."""

    def __init__(self, connection: pq.abc.PGconn) -> None:
        self.connection = connection
        self.prepared: dict[str, Rewritten] = {}
        self.numbers = itertools.count(FIRST_JOB)
        self.performed: list[Call] = []
        """The calls of the last string."""

    def run(self, sql: str, parameters: Parameters = None) -> Outcome:
        """Run a string as a Query, or with `parameters` as a Parse, and tell what the client sees."""
        self.performed = []
        return outcome(lambda: self._run(sql, parameters))

    def _run(self, sql: str, parameters: Parameters) -> pq.abc.PGresult:
        statements = rewrite(sql, prepared=self.prepared, extended=parameters is not None)
        self.prepared |= {each.prepare_name: each for each in statements if each.prepare_name}
        if not statements:
            return send(self.connection, Template.of(sql, 0, len(sql)).render(""), parameters, None)
        if all(each.kind != "action" for each in statements) and parameters is None:
            return send(self.connection, join(each.render(_literal(SNAPSHOT)) for each in statements))
        for each in statements:
            result = self._statement(each, parameters)
        return result

    def _statement(self, statement: Rewritten, parameters: Parameters) -> pq.abc.PGresult:
        data: dict[str, Any] = dict(SNAPSHOT)
        if statement.kind == "action" and self.connection.transaction_status != pq.TransactionStatus.INERROR:
            calls = self._collect(statement, parameters)
            self.performed = calls
            data |= result_data(calls, [self._perform(call) for call in calls], statement.sites)
            self._command(CLEAR_ANSWER)
        return self._with_data(statement, parameters, data)

    def _collect(self, statement: Rewritten, parameters: Parameters) -> list[Call]:
        idle = self.connection.transaction_status == pq.TransactionStatus.IDLE
        before, after = ("BEGIN", "ROLLBACK") if idle else ("SAVEPOINT pass", "ROLLBACK TO pass; RELEASE pass")

        def once() -> list[Call]:
            self._command(CLEAR_COLLECT)
            self._with_data(statement, parameters, SNAPSHOT)
            log, read_only, _ = self._command(READ_LOG)
            recorded = parse_log(log or "", statement.sites)
            calls = [revealed(call, statement.secrets) for call in recorded]
            if calls and read_only == "on" and not calls[0].signature.read_only:
                raise PgError("25006", f"cannot execute {calls[0].signature.flat}() in a read-only transaction")
            return calls

        self._command(before)
        try:
            calls = once()
            self._command(after)
            if len(calls) > 1:
                self._command(before)
                again = once()
                self._command(after)
                if not same_calls(calls, again, statement.sites):
                    raise changing_arguments()
            return calls
        finally:
            if idle and self.connection.transaction_status != pq.TransactionStatus.IDLE:
                self._command("ROLLBACK")

    def _perform(self, call: Call) -> Any:
        if call.arguments.get("source_conninfo") == "bad":
            raise PgError("08001", "pgclone: cannot connect")
        if call.signature.columns:
            return [one_row(call.signature)]
        return next(self.numbers) if call.signature.returns == "integer" else "OK"

    def _with_data(self, statement: Rewritten, parameters: Parameters, data: dict[str, Any]) -> pq.abc.PGresult:
        if parameters is None or not statement.parameter_ok:
            return send(self.connection, statement.render(_literal(data)), parameters)
        hidden = f"${len(parameters) + 1}::pg_catalog.jsonb"
        return send(
            self.connection, statement.render(hidden), [*parameters, json.dumps(data)], [0] * len(parameters) + [3802]
        )

    def _command(self, sql: str) -> list[str | None]:
        result = send(self.connection, Template.of(sql, 0, len(sql)).render(""), None, None)
        return [_text(result.get_value(0, column)) for column in range(result.nfields)]


def _literal(data: dict[str, Any]) -> str:
    return f"$pgclone${json.dumps(data)}$pgclone$::pg_catalog.jsonb"


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()
