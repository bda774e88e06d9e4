"""The proxy's life: its parts start, serve until a signal comes, and stop in order.

Which parts there are is `wiring`'s business, which signals `shutdown`'s.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Sequence

from clone_engine.jobs.manager import Manager
from clone_engine.records.errors import PgError
from proxy.auth import Credentials
from proxy.config import ConfigError, Settings
from proxy.control import ControlSocket, control_path
from proxy.listening import listeners, listeners_at
from proxy.open_files import allow_files
from proxy.processes.supervisor import Supervisor
from proxy.reload import Configuration, Reloaded, reload
from proxy.restart import go_on
from proxy.server import Server
from proxy.shutdown import Signals
from proxy.sources.access import SourceAccess
from proxy.systemd import ServiceManager
from proxy.upstream import Target
from proxy.wiring import make_front, make_manager, make_roles, make_rules, make_target


async def serve(
    configuration: Configuration, read: Callable[[], Settings], passed: Sequence[socket.socket] = ()
) -> None:
    """Serve clients until SIGTERM or SIGINT, at the sockets that were `passed` or else where the settings say; `read`
    gives the settings of a reload.

    ConfigError or StoreError, with nothing running, if it cannot be done.
    """
    settings = configuration.settings
    target = make_target(settings)
    service = ServiceManager(os.environ)
    await _reach(target)
    manager = make_manager(configuration)
    ours = listeners_at(passed) if passed else listeners(settings.server)
    server = make_front(configuration, manager, ours)

    def again() -> Reloaded:
        service.reloading()
        status = "configuration refused, the old one counts"
        try:
            done = reload(configuration, read)
            status = status if done.problems else "serving clients"
        finally:
            service.reloaded(status)
        return done

    async def everywhere() -> Reloaded:
        done = again()
        await configuration.settled()
        return done

    control = ControlSocket(control_path(settings.jobs.store), {"reload": everywhere})
    signals = Signals(again)
    await manager.start()
    meanwhile: list[asyncio.Task[None]] = []
    try:
        allow_files(settings.limits.max_clients)
        await server.start(passed)
        await control.start()
        service.ready("serving clients")
        meanwhile.append(asyncio.create_task(service.keep_informed()))
        if settings.jobs.resume_at_start:
            credentials = Credentials(target, settings.jobs.passfile, settings.auth.mode)
            rules = make_rules(settings, ours)
            sources = SourceAccess(target.conninfo, lambda: rules, credentials.rights)
            going_on = go_on(manager, credentials, make_roles(settings.jobs), sources)
            meanwhile.append(asyncio.create_task(going_on))
        await signals.asked()
        service.stopping()
        server.stop_listening()
        await signals.unless_hurried(_quiet(server, manager), configuration.settings.server.shutdown_timeout)
    finally:
        for task in meanwhile:
            task.cancel()
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
