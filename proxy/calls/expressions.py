"""The SQL that stands in for our functions and the view: look-ups in the snapshot, and the recording of actions.

Text only, with every name qualified so that no search_path can redirect it, and DATA where the snapshot goes.
A call's arguments stay where the client wrote them; the text before, between and after them is made here.
What the recorded log means is `recording.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from proxy.calls.signatures import VIEW_COLUMNS, VIEW_SECTION, Columns, Signature
from proxy.calls.splice import DATA

TYPES = {
    "text": "pg_catalog.text",
    "integer": "pg_catalog.int4",
    "bigint": "pg_catalog.int8",
    "boolean": "pg_catalog.bool",
    "double precision": "pg_catalog.float8",
    "timestamp with time zone": "pg_catalog.timestamptz",
}
"""Types as they are declared, and their names in the catalog."""

UNKNOWN_JOB = "pgclone_nojob_"
"""Begins the marker of a job that the snapshot does not hold; the job's number follows, with m for a minus."""

CHANGED = "pgclone_changed"
"""The marker of a call that was not among the recorded ones when the statement was run for its answer."""

DEPENDENT = "pgclone_dependent"
"""The same where the statement calls for rows too, of which there are none while calls are being recorded."""

PLACEHOLDER = 200_000_000
"""While calls are being recorded integer functions yield this, this less one, …: not NULL, so that COALESCE stops and
NOT NULL holds as with a job's number; all different, as job numbers are; no number a job will have, and yet small
enough for a little arithmetic."""

# The CASE, which the planner removes, is for set-returning arguments: the server refuses these in its plainest words.
_SET_KEY = "CASE WHEN true THEN pg_catalog.set_config('pgclone_proxy.k', "
_KEY = "pg_catalog.current_setting('pgclone_proxy.k', true)"
_LOG = "pg_catalog.current_setting('pgclone_proxy.log', true)"
# The planner may look at these settings for its estimates, at any time: nothing here may fail while they are unset.
_COUNT = (
    "('0' OPERATOR(pg_catalog.||) coalesce(pg_catalog.current_setting('pgclone_proxy.n', true), ''))::pg_catalog.int4"
)
_COUNTED = (
    f"pg_catalog.set_config('pgclone_proxy.n', ({_COUNT} OPERATOR(pg_catalog.+) 1)::pg_catalog.text, true)"
    "::pg_catalog.int4"
)
_HASH = f"pg_catalog.md5({_KEY})"
_FIELDS = ", ".join(
    f"(job OPERATOR(pg_catalog.->>) {number})::{TYPES[type_]} AS {name}"
    for number, (name, type_) in enumerate(VIEW_COLUMNS)
)


class Around(NamedTuple):
    """The text around the arguments of a call; `between` goes where the commas were."""

    before: str
    between: tuple[str, ...]
    after: str


def member(key: str) -> str:
    """One member of the snapshot."""
    return f"{DATA} OPERATOR(pg_catalog.->) '{key}'"


def view_query() -> str:
    """An item of FROM, without an alias: the jobs, as a view returns them.

    Rows are arrays rather than objects: with many jobs these take half the time, and columns that are not asked for
    nearly none.
    """
    return f"(SELECT {_FIELDS} FROM pg_catalog.jsonb_array_elements({member(VIEW_SECTION)}) AS job)"


def scalar_in_from(around: Around) -> Around:
    """The same call as an item of FROM, without an alias.

    unnest is called when a function in FROM would be, once for each row it depends on, and names its column alike.
    """
    return Around(f"pg_catalog.unnest(ARRAY[{around.before}", around.between, f"{around.after}])")


def rows_in_from(around: Around, columns: Columns) -> Around:
    """A call whose value is a JSON array of rows, as an item of FROM, without an alias."""
    before, after = "ROWS FROM (pg_catalog.jsonb_to_recordset(", f") AS ({declared(columns)}))"
    return Around(before + around.before, around.between, around.after + after)


def declared(columns: Columns) -> str:
    """Names and types, as a column definition list has them."""
    return ", ".join(f"{name} {TYPES[type_]}" for name, type_ in columns)


def read(signature: Signature, *, beside_action: bool) -> Around:
    """A look-up in the snapshot; with one argument, by that argument, and an unknown one is an error.

    `beside_action`: the statement has actions too; while they are recorded the argument may be a stand-in of theirs,
    and what is unknown gives NULL.
    """
    if signature.columns:
        return Around("(", (), f"{member(signature.section)})")
    if not signature.arguments:
        return Around("(", (), f"{DATA} OPERATOR(pg_catalog.->>) '{signature.section}')")
    (argument,) = signature.arguments
    marker = f"'{UNKNOWN_JOB}' OPERATOR(pg_catalog.||) pg_catalog.translate({_KEY}, '-', 'm')"
    unknown = f"(pg_catalog.set_config('pgclone_proxy.k', {marker}, true)::pg_catalog.jsonb)::pg_catalog.text"
    if beside_action:
        unknown = f"CASE WHEN ({member('r')}) IS NOT NULL THEN {unknown} END"
    return Around(
        # Not a comparison of texts: in JSON_TABLE the server gives expressions no collation.
        f"(CASE WHEN pg_catalog.octet_length({_SET_KEY}((",
        (),
        f")::{TYPES[argument.type]})::pg_catalog.text, true) END) OPERATOR(pg_catalog.=) 0 THEN NULL ELSE coalesce("
        f"{member(signature.section)} OPERATOR(pg_catalog.->>) {_KEY}, {unknown}) END)",
    )


def action(
    signature: Signature,
    site: int,
    types: Sequence[str],
    defaults: Sequence[tuple[str, str]],
    unrecorded: str,
) -> Around:
    """An expression that records the call, or answers it from the results in the snapshot.

    `types` are those of the arguments in the text, `defaults` values and types of the others, which are appended;
    `unrecorded` is the marker of the error for a call that has no result.
    """
    casts = [f")::{TYPES[type_]}" for type_ in types]
    appended = [f"{value}::{TYPES[type_]}" for value, type_ in defaults]
    last = ", ".join([*casts[-1:], *appended]) if casts else "".join(f", {value}" for value in appended)
    nothing = " IS NULL"
    if signature.strict:
        nothing = "::pg_catalog.jsonb OPERATOR(pg_catalog.@>) '[null]'::pg_catalog.jsonb"
    result = "pg_catalog.jsonb" if signature.columns else TYPES[signature.returns]
    return Around(
        f"((CASE WHEN {_SET_KEY}pg_catalog.jsonb_build_array({site}{', (' if casts else ''}",
        tuple(f"{cast}, (" for cast in casts[:-1]),
        f"{last})::pg_catalog.text, true) END{nothing} THEN NULL"
        f" WHEN ({member('r')}) IS NULL THEN {_record(signature)}"
        f" ELSE {_answer(site, unrecorded)} END)::{result})",
    )


def _record(signature: Signature) -> str:
    """Notes the call, and yields a value that stands for its result: no rows, where it has rows."""
    line = (
        f"{_LOG} OPERATOR(pg_catalog.||) {_HASH} OPERATOR(pg_catalog.||) ' ' OPERATOR(pg_catalog.||) {_KEY}"
        " OPERATOR(pg_catalog.||) pg_catalog.chr(10)"
    )
    number = f"({PLACEHOLDER + 1} OPERATOR(pg_catalog.-) {_COUNTED})::pg_catalog.text"
    placeholder = number if signature.returns == "integer" else "'[]'" if signature.columns else "'OK'"
    recorded = f"pg_catalog.set_config('pgclone_proxy.log', {line}, true)"
    return f"CASE WHEN {recorded} IS NULL THEN NULL ELSE {placeholder} END"


def _answer(site: int, unrecorded: str) -> str:
    """By order and arguments, else by arguments, else by order where `recording.result_data` allows it."""
    results = f"({member('r')})"
    by_order = f"{results} OPERATOR(pg_catalog.->) ({_COUNTED} OPERATOR(pg_catalog.-) 1)"
    by_order_again = f"{results} OPERATOR(pg_catalog.->) ({_COUNT} OPERATOR(pg_catalog.-) 1)"
    by_arguments = f"({member('b')})"
    error = f"pg_catalog.set_config('pgclone_proxy.k', '{unrecorded}', true)::pg_catalog.jsonb"
    found = (
        f"{by_order} OPERATOR(pg_catalog.->) {_HASH}",
        f"{by_arguments} OPERATOR(pg_catalog.->) {_HASH}",
        f"{by_order_again} OPERATOR(pg_catalog.->) 's{site}'",
        error,
    )
    return f"(coalesce({', '.join(found)}) OPERATOR(pg_catalog.->>) 'v')"
