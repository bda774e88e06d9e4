"""One statement after rewriting: what the session must know to run it, and its text for given data.

A record; it is made by `statement.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from proxy.calls.asked import NOTHING, Asked
from proxy.calls.recording import Site
from proxy.calls.splice import Rendered, Template


@dataclass(frozen=True)
class Rewritten:
    """One statement of a string."""

    kind: Literal["plain", "read", "action"]
    """plain: nothing of ours · read: needs data · action: records calls first, then needs their results."""
    template: Template = field(repr=False)
    control: str = ""
    """The command of a statement that controls transactions: BEGIN, COMMIT, ROLLBACK, SAVEPOINT, RELEASE, ROLLBACK TO,
    PREPARE TRANSACTION …, with AND CHAIN where it says so; empty for others."""
    modes: str = ""
    """Of a BEGIN: its options, as SET TRANSACTION takes them."""
    sites: tuple[Site, ...] = ()
    sections: frozenset[str] = frozenset()
    """The sections of the snapshot that it reads: by the names in `snapshot.SECTIONS`."""
    asked: Asked | None = NOTHING
    """The jobs whose progress it reads; None: any."""
    parameters: int = 0
    """The highest $n in the client's text."""
    parameter_ok: bool = True
    """Whether the data may travel as a parameter; some statements take none."""
    prepare_name: str | None = None
    """Of an SQL PREPARE: the prepared statement's name."""
    prepares: Rewritten | None = None
    """Of an SQL PREPARE of ours: what EXECUTE of it will be, kind, sites and sections."""
    deallocates: tuple[str | None, ...] = ()
    """Of a DEALLOCATE: the name, None for all."""
    execute_name: str | None = None
    """Of an SQL EXECUTE of ours, also inside EXPLAIN or CREATE TABLE AS: the prepared statement's name."""

    notice: str = ""
    """Of a CREATE EXTENSION of ours, which goes in a message of its own: what the server's notice is to say."""

    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What confidential constants were, by the stand-ins that the text has in their place."""
    secret_parameters: frozenset[int] = frozenset()
    """The numbers of parameters that are nothing but confidential: their values need stand-ins too."""

    def render(self, data: str) -> Rendered:
        """The text to send, with `data` as the SQL expression of the snapshot; positions refer to the whole string."""
        return self.template.render(data)
