"""The errors of the proxy for statements of ours that it does not rewrite, and for calls that match no function.

Each names its SQLSTATE, PostgreSQL's own where PostgreSQL would refuse too.  When they apply is `rewrite.py`.
Positions count characters from 0 here and from 1 in the error.
"""

from __future__ import annotations

from collections.abc import Sequence

from clone_engine.jobs.verdicts import not_found
from clone_engine.records.errors import PgError
from proxy.calls.signatures import Signature

NOT_STORED = "pgclone_jobs_view and pgclone functions cannot be used in a stored definition"


def no_such_function(spelled: str, types: Sequence[str], declared: Sequence[Signature], position: int) -> PgError:
    """A call whose arguments fit none of the functions that are declared by that name."""
    forms = " or ".join(f"{spelled}({', '.join(map(str, signature.arguments))})" for signature in declared)
    return PgError(
        "42883",
        f"function {spelled}({', '.join(types)}) does not exist",
        hint=f"It is declared as {forms}.",
        position=position + 1,
    )


def named_twice(argument: str, position: int) -> PgError:
    return PgError("42601", f'argument name "{argument}" used more than once', position=position + 1)


def positional_after_named(position: int) -> PgError:
    return PgError("42601", "positional argument cannot follow named argument", position=position + 1)


def not_aggregate(what: str, spelled: str, position: int) -> PgError:
    """DISTINCT, ORDER BY, FILTER and the like in a call."""
    return PgError("42809", f"{what} specified, but {spelled} is not an aggregate function", position=position + 1)


def not_window(spelled: str, position: int) -> PgError:
    return PgError(
        "42809",
        f"OVER specified, but {spelled} is not a window function nor an aggregate function",
        position=position + 1,
    )


def variadic(spelled: str, position: int) -> PgError:
    return PgError("42809", f"VARIADIC specified, but {spelled} is not variadic", position=position + 1)


def only_in_from(spelled: str, position: int) -> PgError:
    return PgError(
        "0A000",
        f"{spelled}() is only supported in FROM",
        hint=f"Write SELECT * FROM {spelled}(…).",
        position=position + 1,
    )


def only_alone_in_from(spelled: str, position: int) -> PgError:
    return PgError(
        "0A000",
        f"{spelled}() is only supported in FROM without ROWS FROM and WITH ORDINALITY",
        hint="Use row_number() OVER () to number rows.",
        position=position + 1,
    )


def redundant_columns(position: int) -> PgError:
    return PgError(
        "42601",
        "a column definition list is redundant for a function with OUT parameters",
        hint="Give its columns other names with AS alias(name, …), without types.",
        position=position + 1,
    )


def stored_definition(position: int) -> PgError:
    return PgError(
        "0A000",
        NOT_STORED,
        detail="The proxy answers these names; the server does not know them.",
        hint="Query them directly, or make stubs known to the server with pgclone-proxy install-stubs.",
        position=position + 1,
    )


def nested_actions(position: int) -> PgError:
    return PgError(
        "0A000",
        "pgclone actions cannot be nested in one another",
        hint="Run them one after the other, in statements of their own.",
        position=position + 1,
    )


def action_not_supported(where: str, position: int) -> PgError:
    """`where`: "in a cursor", "in COPY" …"""
    return PgError(
        "0A000",
        f"pgclone actions are not supported {where}",
        hint=ELSEWHERE.get(where, "Call the function in a SELECT."),
        position=position + 1,
    )


ELSEWHERE = {
    "in a cursor": "Call the function in a SELECT without a cursor: in psql \\unset FETCH_COUNT, in a driver without"
    " server-side cursors or streamed results."
}
"""What to do instead, where an action is not supported in what the user may not know to have written."""


def explain_analyze(position: int = -1) -> PgError:
    return PgError(
        "0A000",
        "EXPLAIN ANALYZE cannot run a pgclone action",
        hint="EXPLAIN without ANALYZE starts nothing and is allowed.",
        position=position + 1,
    )


def execute_in_parse() -> PgError:
    return PgError(
        "0A000",
        "EXECUTE of a pgclone action is supported in the simple protocol only",
        hint="Call the function in a SELECT with parameters, or send the EXECUTE as a simple query.",
    )


def only_in_blocks(command: str) -> PgError:
    """What PostgreSQL says where it has an implicit block and the proxy a hidden one."""
    return PgError(
        "25P01", f"{command} can only be used in transaction blocks", hint="Begin the string of statements with BEGIN."
    )


def wrong_parameter_count(name: str, expected: int, given: int) -> PgError:
    return PgError(
        "42601",
        f'wrong number of parameters for prepared statement "{name}"',
        detail=f"Expected {expected} parameters but got {given}.",
    )


def not_writable(view: str, position: int) -> PgError:
    return PgError(
        "55000",
        f'cannot modify view "{view}"',
        hint="It shows the jobs. To change them, use pgclone_cancel, pgclone_resume or pgclone_clear_jobs.",
        position=position + 1,
    )


def not_sampled(position: int) -> PgError:
    return PgError(
        "42601", "TABLESAMPLE clause can only be applied to tables and materialized views", position=position + 1
    )


def copy_from_view(view: str) -> PgError:
    return PgError("42809", f'cannot copy from view "{view}"', hint="Try the COPY (SELECT ...) TO variant.")


def copy_to_view(view: str) -> PgError:
    return PgError("42809", f'cannot copy to view "{view}"', hint="The view shows the jobs and cannot be written.")


def old_strings() -> PgError:
    return PgError(
        "0A000",
        "pgclone: a backslash in a statement that names pgclone needs standard_conforming_strings = on",
        hint="SET standard_conforming_strings = on, or pass the value as a parameter.",
    )


def too_many_calls(limit: int) -> PgError:
    return PgError(
        "54000",
        "too many pgclone calls in one statement",
        detail=f"At most {limit} are allowed. None has been started.",
        hint="Use LIMIT, or several statements.",
    )


def invalid_log() -> PgError:
    return PgError(
        "XX000",
        "pgclone: the record of calls is not valid",
        detail="The setting pgclone_proxy.log was changed from outside. Nothing has been started.",
        hint="Do not set pgclone_proxy settings.",
    )


def unknown_job(job_id: int) -> PgError:
    """The same as of the functions that the manager performs."""
    return not_found(job_id)


def changed() -> PgError:
    return PgError(
        "40001",
        "pgclone: the arguments changed between evaluation passes",
        detail="What was called at first has been done; the jobs are in pgclone_jobs_view.",
        hint="Look at pgclone_jobs_view before running the statement again.",
    )


def stub_of_another_version(function: str) -> PgError:
    """A stub has called what `signatures` does not have."""
    return PgError(
        "42883",
        f"pgclone: there is no function pgclone_{function} with these arguments",
        detail="The stubs in this database are of another version than the proxy.",
        hint="Run pgclone-proxy install-stubs again.",
    )


def call_without_secret(spelled: str) -> PgError:
    return PgError(
        "42501",
        f"{spelled}() was called without the secret that only the session's own role can read",
        hint="Call it by its name.",
    )


def called_in_a_repeated_statement(spelled: str) -> PgError:
    return PgError(
        "0A000",
        f"{spelled}() cannot be called by a function or view in a statement that calls a pgclone action itself",
        detail="Such a statement is run more than once, and would start it each time.",
        hint="Run the two in statements of their own.",
    )


def dependent() -> PgError:
    """A call that is made only if another one in the statement has returned rows."""
    return PgError(
        "0A000",
        "a pgclone call cannot depend on the rows of another one in the same statement",
        detail="What did not depend on them has been done; jobs are in pgclone_jobs_view.",
        hint="Store the rows first: CREATE TEMP TABLE verified AS SELECT * FROM pgclone_verify(…), for instance.",
    )


def changing_arguments() -> PgError:
    """Two recordings of one statement that differ."""
    return PgError(
        "0A000",
        "the arguments of the pgclone call change at every evaluation",
        detail="The results could not be matched to their rows. Nothing has been started.",
        hint="Store the values in a table first, and call the function on that.",
    )
