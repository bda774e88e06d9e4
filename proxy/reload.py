"""The settings that count, while the proxy runs: read again when it is asked to, checked as a whole, then swapped.

What a new value means is the business of those who follow; who asks is `control`'s and `shutdown`'s.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
import structlog

from proxy.config import ConfigError, Settings
from proxy.config.reloading import change

log = structlog.get_logger()

Swap = Callable[[], None]
Prepare = Callable[[Settings], Swap]
"""Makes what new settings need, without a trace if they are not taken after all, and gives what then makes them count.
ConfigError if they cannot be used."""
Settled = Callable[[], Awaitable[None]]


class Configuration:
    """The settings that count, and those who follow them."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._followers: list[Prepare] = []
        self._elsewhere: list[Settled] = []

    def __repr__(self) -> str:
        return f"<Configuration, {len(self._followers)} followers>"

    def follow(self, prepare: Prepare, settled: Settled | None = None) -> None:
        """Have `prepare` called with all settings to come, also if none has changed: a file that one names may have.

        `settled` returns when the last ones count with those to whom the swap only hands them on.
        """
        self._followers.append(prepare)
        if settled:
            self._elsewhere.append(settled)

    def take(self, settings: Settings) -> None:
        """Have other settings count from now on.  ConfigError if they cannot be used; nothing has changed then."""
        swaps = [prepare(settings) for prepare in self._followers]
        self.settings = settings
        for swap in swaps:
            swap()

    async def settled(self) -> None:
        """Returns when the settings count everywhere."""
        for each in self._elsewhere:
            await each()


class Reloaded(msgspec.Struct, frozen=True):
    """What came of a reload; with problems, nothing has changed."""

    problems: tuple[str, ...] = ()
    """One line each."""
    changed: tuple[str, ...] = ()
    needs_restart: tuple[str, ...] = ()
    """Settings whose new value counts from the next start."""


def reload(configuration: Configuration, read: Callable[[], Settings]) -> Reloaded:
    """Have the settings count that `read` gives now: all of them or, if there is any problem (ConfigError), none."""
    try:
        new = change(configuration.settings, read())
        configuration.take(new.settings)
    except ConfigError as error:
        log.error("configuration is not reloaded", problems=error.args)
        return Reloaded(problems=error.args)
    log.info("configuration is reloaded", changed=new.changed, needs_restart=new.needs_restart)
    return Reloaded(changed=new.changed, needs_restart=new.needs_restart)
