"""The first of several processes: accepts clients, hands each on, and keeps the serving processes running.

What is said to a process is `channel.py`, how one runs is `child.py`, what all of them have to know is `company.py`,
what one asks for is done by `desk.py`.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import msgspec
import structlog

from clone_engine.jobs.manager import Manager
from clone_engine.records.errors import PgError
from proxy.accepting import Acceptor
from proxy.calls.handlers import Actions
from proxy.config import ConfigError, ServerSettings, Settings
from proxy.limits import Guest, Occupancy
from proxy.listening import addresses, bound_sockets, remove_unix_socket
from proxy.processes.channel import (
    Begin,
    Cancel,
    Cancelled,
    Close,
    Configure,
    End,
    Enter,
    Entered,
    FromServing,
    Leave,
    Load,
    Marked,
    Refused,
)
from proxy.processes.child import Child
from proxy.processes.company import Company
from proxy.processes.desk import Desk
from proxy.processes.editions import Editions
from proxy.processes.pulse import watch
from proxy.reload import Configuration

log = structlog.get_logger()

STOP_SECONDS = 5.0
"""That all processes have to end their sessions and themselves; then they are killed."""
STEADY = 30.0
"""Seconds.  A process that dies after them is started again at once, else after a pause that grows."""
SHORTEST_PAUSE, LONGEST_PAUSE = 0.1, 10.0


class Supervisor:
    """Serves clients with as many processes as the settings say, as `server.Server` does with this one."""

    def __init__(
        self,
        configuration: Configuration,
        manager: Manager,
        actions_of: Callable[[Settings], Actions],
        environment: Mapping[str, str],
    ) -> None:
        self._configuration = configuration
        self._editions = Editions()
        self._edition = self._editions.add(configuration.settings, actions_of(configuration.settings))
        self._environment = environment
        self._company = Company(manager)
        configuration.follow(
            lambda settings: partial(self._configure, settings, actions_of(settings)), self._company.settled
        )
        self._serving: dict[int, Child] = {}
        """Those that take connections, by their places."""
        self._occupancy = Occupancy(configuration.settings.limits)
        self._inside: defaultdict[int, set[int]] = defaultdict(set)
        """The connections of each process that are counted there."""
        self._keepers: list[asyncio.Task[None]] = []
        self._acceptor: Acceptor | None = None
        self._cancels: set[asyncio.Task[None]] = set()
        self._numbers = itertools.count(1)
        self._counted, self._over = asyncio.Event(), asyncio.Event()

    def __repr__(self) -> str:
        return f"<Supervisor of {self._company!r}, {len(self._serving)} take connections>"

    # --- life ---------------------------------------------------------------------------------------------

    async def start(self, passed: Sequence[socket.socket] = ()) -> None:
        """Start the processes, and listen, at the sockets that were `passed` or else where the settings say.

        ConfigError if they cannot run, or an address cannot be had.
        """
        sockets = passed or bound_sockets(self._settings)
        loop = asyncio.get_running_loop()
        begun = {place: loop.create_future() for place in range(1, self._settings.processes + 1)}
        self._keepers = [loop.create_task(self._keep(place, each)) for place, each in begun.items()]
        all_begun = asyncio.gather(*begun.values())
        ends: list[asyncio.Future[Any]] = [all_begun, *self._keepers]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if not all_begun.done():
            all_begun.cancel()
            for sock in sockets:
                sock.close()
            raise ConfigError("the serving processes could not be started; the log says why")
        where = addresses(sockets)
        self._acceptor = Acceptor(sockets, self._hand_over)
        log.info("listening", addresses=where, processes=len(begun))

    def stop_listening(self) -> None:
        """Let nobody else in; the open sessions go on.  May be called more than once."""
        if self._acceptor:
            self._acceptor.close()
            self._acceptor = None
        for child in self._company:
            child.send(Close())

    async def empty(self) -> None:
        """Returns when no connection is open."""
        while any(child.connections for child in self._company):
            self._counted.clear()
            await self._counted.wait()

    async def stop(self) -> None:
        """Stop listening, and have every process close its sessions and end; one that does not is killed."""
        self.stop_listening()
        self._over.set()
        for child in self._company:
            child.send(End())
        if self._keepers:
            _, left = await asyncio.wait(self._keepers, timeout=STOP_SECONDS)
            for child in self._company:
                log.error("serving process does not end, killing it", process=child.place, pid=child.pid)
                child.kill()
            if left:
                await asyncio.wait(left)
        remove_unix_socket(self._settings)

    def _configure(self, settings: Settings, actions: Actions) -> None:
        """Have all processes, those that are started later too, go by other settings."""
        self._edition = self._editions.add(settings, actions)
        self._occupancy.settings = settings.limits
        for child in self._company:
            child.send(Configure(_without_sources(settings), self._edition))

    @property
    def _settings(self) -> ServerSettings:
        return self._configuration.settings.server

    # --- one process --------------------------------------------------------------------------------------

    async def _keep(self, place: int, begun: asyncio.Future[None]) -> None:
        """Have a process run at this place until the end; but where the first one does not, return."""
        loop, pause = asyncio.get_running_loop(), 0.0
        while not self._over.is_set():
            since = loop.time()
            ending = await self._run(place, begun)
            if self._over.is_set():
                return
            log.error("serving process ended, its clients are cut off", process=place, ending=ending)
            if not begun.done():
                return
            pause = 0.0 if loop.time() - since > STEADY else min(max(2 * pause, SHORTEST_PAUSE), LONGEST_PAUSE)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._over.wait()

    async def _run(self, place: int, begun: asyncio.Future[None]) -> str:
        """A process, from its start to its end; how it ended."""
        try:
            child = await Child.start(place, self._environment)
        except OSError as error:
            return error.strerror or str(error)
        desk = Desk(self._editions, child.send, self._company.settled)
        child.send(Begin(place, _without_sources(self._configuration.settings), self._edition))
        in_step = self._company.join(child)
        in_step.add_done_callback(partial(self._in_step, child, begun))
        pulse = asyncio.get_running_loop().create_task(watch(child, in_step))
        if self._over.is_set():
            child.send(End())
        try:
            while (message := await child.receive()) is not None:
                self._take(child, desk, message)
        except Exception:  # the edge of a process: what it says wrong ends it, and the others go on
            log.exception("serving process failed", process=place)
            child.kill()
        pulse.cancel()
        self._serving.pop(place, None)
        self._company.leave(child)
        for number in self._inside.pop(place, set()):
            self._occupancy.leave(number)
        desk.close()
        self._counted.set()
        return await child.end()

    def _in_step(self, child: Child, begun: asyncio.Future[None], answer: asyncio.Future[bool]) -> None:
        if answer.result():
            self._serving[child.place] = child
            log.info("serving process runs", process=child.place, pid=child.pid)
            if not begun.done():
                begun.set_result(None)

    def _take(self, child: Child, desk: Desk, message: FromServing) -> None:
        """Do what a process says."""
        match message:
            case Load():
                child.loaded(message)
                self._counted.set()
            case Enter(number, guest):
                child.send(Entered(number, self._enter(child, number, guest)))
            case Leave(number):
                self._leave(child, number)
            case Marked(number):
                child.answered(number, True)
            case Cancelled(number, found):
                child.answered(number, found)
            case Cancel():
                work = asyncio.get_running_loop().create_task(self._cancel(child, message))
                self._cancels.add(work)
                work.add_done_callback(self._cancels.discard)
            case _:
                desk.take(message)

    def _enter(self, child: Child, number: int, guest: Guest) -> Refused | None:
        try:
            self._occupancy.let_in(number, guest)
        except PgError as error:
            return Refused.by(number, error)
        self._inside[child.place].add(number)
        return None

    def _leave(self, child: Child, number: int) -> None:
        self._occupancy.leave(number)
        self._inside[child.place].discard(number)

    async def _cancel(self, child: Child, asked: Cancel) -> None:
        """Find the session that a CancelRequest is for, which is not one of this process."""
        found = await self._company.deliver(asked.packet, but=child)
        child.send(Cancelled(asked.number, found))

    # --- connections --------------------------------------------------------------------------------------

    def _hand_over(self, client: socket.socket) -> None:
        """Have the process serve a client that has fewest of them, of those that respond."""
        number = next(self._numbers)
        with client:
            by_load = sorted(self._serving.values(), key=lambda child: (not child.responds, child.connections))
            if not any(child.hand_over(client, number) for child in by_load):
                log.error("connection dropped, no serving process takes it", connection=number)


def _without_sources(settings: Settings) -> Settings:
    """Those who face clients perform no action, so they need not have the passwords of named sources."""
    return msgspec.structs.replace(settings, source={})
