"""What performs the actions of sessions that began under earlier settings, numbered, so that serving processes can say
which they mean.  Pure."""

from __future__ import annotations

from proxy.calls.handlers import Actions
from proxy.config import Settings


class Editions:
    """The actions of all settings that there were, as far as these differ for them: else there would be more with each
    reload."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[object, ...], int] = {}
        self._actions: list[Actions] = []

    def __repr__(self) -> str:
        return f"<{len(self._actions)} Editions>"

    def __getitem__(self, edition: int) -> Actions:
        return self._actions[edition]

    def add(self, settings: Settings, actions: Actions) -> int:
        """The number of these settings: of earlier ones where nothing has changed that open sessions keep, which is how
        the target is reached; else the next one, for which `actions` are kept."""
        kept = settings.server, settings.auth, settings.jobs.passfile
        edition = self._numbers.setdefault(kept, len(self._actions))
        if edition == len(self._actions):
            self._actions.append(actions)
        return edition
