"""The proxy's life: its parts start, serve until a signal comes, and stop in order.

Which parts there are is `wiring`'s business, which signals `shutdown`'s.
"""

from __future__ import annotations

import asyncio

from clone_engine.jobs.manager import Manager
from clone_engine.records.errors import PgError
from proxy.auth import Credentials
from proxy.config import ConfigError, Settings
from proxy.processes.supervisor import Supervisor
from proxy.restart import go_on
from proxy.server import Server
from proxy.shutdown import Signals
from proxy.upstream import Target
from proxy.wiring import make_front, make_manager, make_roles


async def serve(settings: Settings, target: Target) -> None:
    """Serve clients until SIGTERM or SIGINT.  ConfigError or StoreError, with nothing running, if it cannot be done."""
    await _reach(target)
    manager = make_manager(settings.jobs)
    server = make_front(settings, target, manager)
    signals = Signals()
    await manager.start()
    going_on: asyncio.Task[None] | None = None
    try:
        await server.start()
        if settings.jobs.resume_at_start:
            credentials = Credentials(target, settings.jobs.passfile)
            going_on = asyncio.create_task(go_on(manager, credentials, make_roles(settings.jobs)))
        await signals.asked()
        server.stop_listening()
        await signals.unless_hurried(_quiet(server, manager), settings.server.shutdown_timeout)
    finally:
        if going_on:
            going_on.cancel()
        manager.begin_stop()
        await server.stop()
        await manager.stop()


class _Probe(asyncio.Protocol):
    """Closes a connection as soon as it is made."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


async def _reach(target: Target) -> None:
    """A target that nobody listens at is most likely a wrong setting: better said now than to each client."""
    try:
        await target.connect(_Probe())
    except PgError as error:
        raise ConfigError(error.message.removeprefix("pgclone: ")) from None


async def _quiet(server: Server | Supervisor, manager: Manager) -> None:
    """Returns when the last client has left and the last job has ended."""
    await server.empty()
    await manager.idle()
