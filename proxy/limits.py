"""How many clients are let in: in all, of a role, from an address.

Counted are those that have sent a StartupMessage, and for their role those that have logged in, up to their end.  Who
counts where several processes serve clients is `processes/`' business.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple, Protocol

from clone_engine.records.errors import PgError
from proxy.config import LimitSettings


class Guest(NamedTuple):
    """A client that wants to be let in."""

    address: str
    """'' for one at the unix socket, of which there may be any number."""
    role: str = ""
    """As which it has logged in; '' for one that has not yet."""


class Doorkeeper(Protocol):
    """Who lets clients in."""

    async def enter(self, number: int, guest: Guest) -> None:
        """Let the client in whose connection has this number; once more when it has logged in.  PgError 53300 if there
        are too many."""

    def leave(self, number: int) -> None:
        """This connection has ended; nothing happens if it was not let in."""


class Occupancy:
    """The doorkeeper that counts."""

    def __init__(self, settings: LimitSettings) -> None:
        self.settings = settings
        """May be set to others, which count for who comes from then on."""
        self._guests: dict[int, Guest] = {}
        self._roles: Counter[str] = Counter()
        self._addresses: Counter[str] = Counter()

    def __repr__(self) -> str:
        return f"<Occupancy {len(self._guests)} clients>"

    async def enter(self, number: int, guest: Guest) -> None:
        """As `Doorkeeper`."""
        self.let_in(number, guest)

    def let_in(self, number: int, guest: Guest) -> None:
        """As `enter`, at once."""
        limits = self.settings
        if number not in self._guests:
            if len(self._guests) >= limits.max_clients:
                raise _too_many("sorry, too many clients already", "max_clients", limits.max_clients)
            if guest.address and 0 < limits.max_clients_per_address <= self._addresses[guest.address]:
                words = f'too many connections from address "{guest.address}"'
                raise _too_many(words, "max_clients_per_address", limits.max_clients_per_address)
        if guest.role and 0 < limits.max_clients_per_user <= self._roles[guest.role]:
            words = f'too many connections for role "{guest.role}"'
            raise _too_many(words, "max_clients_per_user", limits.max_clients_per_user)
        self.leave(number)
        self._guests[number] = guest
        self._roles[guest.role] += 1
        self._addresses[guest.address] += 1

    def leave(self, number: int) -> None:
        """As `Doorkeeper`."""
        guest = self._guests.pop(number, None)
        if guest is not None:
            _less(self._roles, guest.role)
            _less(self._addresses, guest.address)


def _less(counter: Counter[str], name: str) -> None:
    counter[name] -= 1
    if not counter[name]:
        del counter[name]  # names are the clients' to invent


def _too_many(words: str, setting: str, limit: int) -> PgError:
    return PgError("53300", words, detail=f"The proxy's limits.{setting} is {limit}.", hint="Try again later.")
