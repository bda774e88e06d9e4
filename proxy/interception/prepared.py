"""What the session has prepared of ours, with Parse or with PREPARE in SQL: PostgreSQL keeps one list of both.

Changes are noted when their messages are sent, for those that follow in the pipeline, and can be taken back, since
the server skips what follows an error.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from proxy.calls.rewrite import Rendered, Rewritten

Name = TypeVar("Name")
Thing = TypeVar("Thing")
Undo = Callable[[], None]


class Named(dict[Name, Thing]):
    """Things of ours by name.  A dict, because whether there are any is asked for each message that passes."""

    def put(self, name: Name, thing: Thing | None) -> Undo:
        """Note what the name means from now on, None for nothing of ours.  Gives what takes that back."""
        before = self.get(name)
        self._set(name, thing)
        return partial(self._set, name, before)

    def keep(self, wanted: Callable[[Thing], bool]) -> None:
        """Forget all others."""
        for name in [name for name, thing in self.items() if not wanted(thing)]:
            del self[name]

    def _set(self, name: Name, thing: Thing | None) -> None:
        if thing is None:
            self.pop(name, None)
        else:
            self[name] = thing


@dataclass(frozen=True, slots=True)
class Ours:
    """A statement of the client's that was prepared in a rewritten form."""

    rewritten: Rewritten
    rendered: Rendered
    types: tuple[int, ...]
    """The declared types, the hidden parameter's included."""
    number: int
    """The number of the hidden parameter; 0 if the snapshot stands in the text."""
    codec: str
    in_sql: bool = False
    """By PREPARE, so that `rendered` is not what the server would have to be sent."""


class PreparedStatements(Named[str, Ours]):
    """The prepared statements of ours; the unnamed one has an empty name."""

    by_sql = False
    """Whether a PREPARE of ours was ever sent: the server may not yet have said that what it names is there."""

    @property
    def may_be_executed(self) -> bool:
        """Whether EXECUTE may name anything of ours."""
        return self.by_sql or bool(self)

    def executable(self) -> Mapping[str, Rewritten]:
        """What EXECUTE can name, each with the number of arguments that the client knows of."""
        return {
            name: replace(ours.rewritten, parameters=ours.number - 1)
            for name, ours in self.items()
            if name and ours.number
        }

    def deallocate(self, name: str | None) -> Undo:
        """Forget one statement, or all for None.  Gives what takes that back."""
        if name is not None:
            return self.put(name, None)
        before = dict(self)
        self.clear()
        return partial(self._become, before)

    def _become(self, statements: Mapping[str, Ours]) -> None:
        self.clear()
        self.update(statements)

    def noting(
        self, prepares: Iterable[tuple[str, Ours | None]], deallocates: Iterable[str | None]
    ) -> Callable[[bytes], None]:
        """What notes, tag by tag as the server does it, that these are prepared and deallocated, each in order."""
        made, given_back = deque(prepares), deque(deallocates)
        self.by_sql = self.by_sql or bool(made)

        def on_tag(tag: bytes) -> None:
            if tag.startswith(b"PREPARE\0") and made:
                self.put(*made.popleft())
            elif tag.startswith((b"DEALLOCATE", b"DISCARD ALL")) and given_back:
                self.deallocate(given_back.popleft())

        return on_tag


def noting(prepared: PreparedStatements, statements: Sequence[Rewritten], codec: str) -> Callable[[bytes], None] | None:
    """What notes in `prepared` what these statements prepare and deallocate; None if they do not."""
    prepares = [(each.prepare_name, _in_sql(each, codec)) for each in statements if each.prepare_name is not None]
    deallocates = [name for each in statements for name in each.deallocates]
    return prepared.noting(prepares, deallocates) if prepares or deallocates else None


def _in_sql(statement: Rewritten, codec: str) -> Ours | None:
    """What a PREPARE makes, None if it is not of ours."""
    query = statement.prepares
    if query is None:
        return None
    number = query.parameters + 1
    return Ours(query, query.render(f"${number}::pg_catalog.jsonb"), (), number, codec, in_sql=True)
