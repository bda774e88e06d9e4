"""The program of a serving process: `python -m proxy.processes.serving_process`.

What it has to know comes over standard input, a socket, and the connections to serve over standard output, another one;
so there is nothing in its arguments and environment.  It ends when it is told to, or the first process has gone.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import socket
from functools import partial

import structlog
import uvloop

from clone_engine.records.errors import PgError
from clone_engine.servers.connect import forget_environment
from proxy.config import ConfigError
from proxy.limits import Guest
from proxy.logs import configure
from proxy.processes.channel import (
    Begin,
    Cancel,
    Cancelled,
    Close,
    Configure,
    Enter,
    Entered,
    Forgotten,
    Leave,
    Load,
    Mark,
    Marked,
    Refused,
    Returned,
    Shown,
    Stopped,
    Told,
    ToServing,
    decode_to_serving,
)
from proxy.processes.intake import Intake
from proxy.processes.link import Link
from proxy.processes.mirror import Mirror
from proxy.processes.remote import RemoteActions
from proxy.reload import Configuration
from proxy.shutdown import QUIT
from proxy.wiring import make_server

FIRST_PROCESS, HANDED = 0, 1

log = structlog.get_logger()


def main() -> None:
    """Serve until the first process says that it is over, or has gone."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # they may reach all processes; the first one decides
    signal.signal(signal.SIGQUIT, lambda *_: os._exit(QUIT))
    forget_environment()
    uvloop.run(_serve())


async def _serve() -> None:
    link = await Link.over(socket.socket(fileno=FIRST_PROCESS), decode_to_serving)
    begin = await link.receive()
    if not isinstance(begin, Begin):
        return
    configure(begin.settings.log, begin.place)
    configuration = Configuration(begin.settings)
    configuration.follow(lambda settings: partial(configure, settings.log, begin.place))
    await ServingProcess(link, configuration, begin.edition).run()


class ServingProcess:
    """Serves the connections that it is handed, and keeps in step with the first process."""

    def __init__(self, link: Link[ToServing], configuration: Configuration, edition: int) -> None:
        self._link = link
        self._configuration = configuration
        self._edition = edition
        self._mirror = Mirror()
        self._actions = RemoteActions(link.send, edition)
        self._asked: dict[int, asyncio.Future[bool]] = {}
        self._numbers = itertools.count(1)
        self._delivering: set[asyncio.Task[None]] = set()
        self._about_to_report = False
        self._entering: dict[int, asyncio.Future[PgError | None]] = {}
        self._server = make_server(
            configuration, self._mirror, lambda _: self._actions.under(self._edition), self._elsewhere, self
        )
        self._server.counted = self._report
        self._intake = Intake(socket.socket(fileno=HANDED), self._server.serve, self._report)

    def __repr__(self) -> str:
        return f"<ServingProcess {self._server!r}, {self._intake!r}>"

    async def run(self) -> None:
        """Serve to the end."""
        while (message := await self._link.receive()) is not None and self._take(message):
            pass
        self._intake.close()
        await self._server.stop()
        self._link.close()

    def _take(self, message: ToServing) -> bool:
        """Do what the first process says; False if that is to end."""
        match message:
            case Shown(job):
                self._mirror.show(job)
            case Forgotten(job_id):
                self._mirror.forget(job_id)
            case Mark(number):
                self._link.send(Marked(number))
            case Told() | Returned() | Refused() | Stopped():
                self._actions.answered(message)
            case Entered(number, refused):
                self._entering.pop(number).set_result(refused.error if refused else None)
            case Configure():
                self._configure(message)
            case Close():
                self._server.stop_listening()
            case Cancel():
                self._deliver(message)
            case Cancelled(number, found):
                self._asked.pop(number).set_result(found)
            case _:
                return False
        return True

    def _configure(self, message: Configure) -> None:
        self._edition = message.edition
        try:
            self._configuration.take(message.settings)
        except ConfigError as error:  # the first process could use them a moment ago
            log.error("configuration is not reloaded", problems=error.args)

    # --- limits.Doorkeeper ---------------------------------------------------------------------------------

    async def enter(self, number: int, guest: Guest) -> None:
        """Ask the first process, which knows the clients of all."""
        answer = self._entering[number] = asyncio.get_running_loop().create_future()
        self._link.send(Enter(number, guest))
        if refusal := await asyncio.shield(answer):
            raise refusal

    def leave(self, number: int) -> None:
        """Tell the first process."""
        self._link.send(Leave(number))

    # --- CancelRequests ------------------------------------------------------------------------------------

    async def _elsewhere(self, packet: bytes) -> bool:
        """Whether a session of another process has the key; what is asked is done then."""
        number = next(self._numbers)
        found = self._asked[number] = asyncio.get_running_loop().create_future()
        self._link.send(Cancel(number, packet))
        return await asyncio.shield(found)

    def _deliver(self, asked: Cancel) -> None:
        delivering = asyncio.get_running_loop().create_task(self._delivered(asked))
        self._delivering.add(delivering)
        delivering.add_done_callback(self._delivering.discard)

    async def _delivered(self, asked: Cancel) -> None:
        found = await self._server.cancel_keys.deliver_here(asked.packet)
        self._link.send(Cancelled(asked.number, found))

    # --- connections ---------------------------------------------------------------------------------------

    def _report(self) -> None:
        """Say soon how many connections there are: one that becomes a session is none for a moment."""
        if not self._about_to_report:
            self._about_to_report = True
            asyncio.get_running_loop().call_soon(self._report_now)

    def _report_now(self) -> None:
        self._about_to_report = False
        self._link.send(Load(self._intake.count, self._server.connections))


if __name__ == "__main__":
    main()
