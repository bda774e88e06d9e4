"""The collect pass: which calls would the statement make, with which arguments?  The same for both protocols.

The statement runs with expressions in place of its calls that only record them, inside a savepoint that is rolled
back.  An error here is the client's, and nothing has been started.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from clone_engine.records.errors import PgError
from proxy.calls import refusals
from proxy.calls.recording import CLEAR_COLLECT, READ_LOG, parse_log, same_calls
from proxy.calls.rewrite import Rewritten
from proxy.interception.context import Collected, Commands

SAVEPOINT = "SAVEPOINT pgclone_proxy"
ROLLBACK_TO = "ROLLBACK TO SAVEPOINT pgclone_proxy"
RELEASE = "RELEASE SAVEPOINT pgclone_proxy"

Record = Callable[[], Awaitable[None]]
"""Run the statement once, recording its calls; ServerError if the server refuses it."""


async def collect(commands: Commands, record: Record, rewritten: Rewritten) -> Collected:
    """The calls that the statement makes, in order.  The transaction block that is open is as it was before.

    ServerError if the server refuses the statement, and the transaction is failed then; PgError if the calls cannot
    be performed.
    """
    await commands.command(SAVEPOINT)
    collected = await _pass(commands, record, rewritten)
    if len(collected.calls) > 1:
        # Results are handed back by arguments: with several calls these must be the same in every pass.
        again = await _pass(commands, record, rewritten)
        if not same_calls(collected.calls, again.calls, rewritten.sites):
            raise refusals.changing_arguments()
    await commands.command(RELEASE)
    return collected


async def _pass(commands: Commands, record: Record, rewritten: Rewritten) -> Collected:
    await commands.command(CLEAR_COLLECT)
    await record()
    recorded, read_only, least = await commands.command(READ_LOG)
    await commands.command(ROLLBACK_TO)
    calls = parse_log(recorded or "", rewritten.sites)
    writing = next((call.signature.flat for call in calls if not call.signature.read_only), None)
    if writing and read_only == "on":
        raise PgError("25006", f"cannot execute {writing}() in a read-only transaction")
    return Collected(calls, least or "")
