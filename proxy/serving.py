"""The proxy's life: its parts start, serve until a signal comes, and stop in order.

Which parts there are is `wiring`'s business, which signals `shutdown`'s.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from clone_engine.jobs.manager import Manager
from clone_engine.records.errors import PgError
from proxy.auth import Credentials
from proxy.config import ConfigError, Settings
from proxy.control import ControlSocket, control_path
from proxy.open_files import allow_files
from proxy.processes.supervisor import Supervisor
from proxy.reload import Configuration, Reloaded, reload
from proxy.restart import go_on
from proxy.server import Server
from proxy.shutdown import Signals
from proxy.systemd import ServiceManager, passed_sockets
from proxy.upstream import Target
from proxy.wiring import make_front, make_manager, make_roles, make_sources, make_target


async def serve(configuration: Configuration, read: Callable[[], Settings]) -> None:
    """Serve clients until SIGTERM or SIGINT; `read` gives the settings of a reload.

    ConfigError or StoreError, with nothing running, if it cannot be done.
    """
    settings = configuration.settings
    target = make_target(settings)
    await _reach(target)
    manager = make_manager(configuration)
    server = make_front(configuration, manager)
    service = ServiceManager(os.environ)

    def again() -> Reloaded:
        service.reloading()
        done = reload(configuration, read)
        service.ready("configuration refused, the old one counts" if done.problems else "serving clients")
        return done

    async def everywhere() -> Reloaded:
        done = again()
        await configuration.settled()
        return done

    control = ControlSocket(control_path(settings.jobs.store), {"reload": everywhere})
    signals = Signals(again)
    await manager.start()
    going_on: asyncio.Task[None] | None = None
    try:
        allow_files(settings.limits.max_clients)
        await server.start(passed_sockets(os.environ))
        await control.start()
        service.ready("serving clients")
        if settings.jobs.resume_at_start:
            credentials = Credentials(target, settings.jobs.passfile, settings.auth.mode)
            sources = make_sources(settings, target, credentials)
            going_on = asyncio.create_task(go_on(manager, credentials, make_roles(settings.jobs), sources))
        await signals.asked()
        service.stopping()
        server.stop_listening()
        await signals.unless_hurried(_quiet(server, manager), configuration.settings.server.shutdown_timeout)
    finally:
        if going_on:
            going_on.cancel()
        manager.begin_stop()
        await control.stop()
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
        words = filter(None, (error.message.removeprefix("pgclone: "), error.detail))
        raise ConfigError(". ".join(words)) from None


async def _quiet(server: Server | Supervisor, manager: Manager) -> None:
    """Returns when the last client has left and the last job has ended."""
    await server.empty()
    await manager.idle()
