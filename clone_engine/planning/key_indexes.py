"""The index of a key by itself: built beside the table's other indexes, and then taken over by its constraint.

A constraint builds its index under a lock that no other index build gets by.  Pure.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from pglast import enums

from clone_engine.ddl.definitions import Ddl, parse_statement, parsed
from clone_engine.ddl.nodes import strings
from clone_engine.ddl.retarget import rewritten
from clone_engine.records.names import quote_ident

WORDS = {enums.ConstrType.CONSTR_PRIMARY: "PRIMARY KEY", enums.ConstrType.CONSTR_UNIQUE: "UNIQUE"}


class Apart(NamedTuple):
    """The two statements that do what one does."""

    building: Ddl
    """CREATE UNIQUE INDEX."""
    taking: Ddl
    """ADD CONSTRAINT … USING INDEX."""


def apart(key: Ddl) -> Apart | None:
    """A primary key or a unique constraint as its index and what takes that over, both of the same name.

    None where that cannot be (ALTER TABLE, table_constraint_using_index): exclusion constraints, keys WITHOUT
    OVERLAPS; nor is it done for NULLS NOT DISTINCT.  Whether the table allows it (partitioned ones do not) is the
    caller's to know.
    """
    said = key.node.cmds[0].def_
    assert key.relation
    if said.contype not in WORDS or said.without_overlaps or said.nulls_not_distinct:
        return None
    table, name = key.relation.sql, quote_ident(said.conname)
    including = f" INCLUDE ({_listed(said.including)})" if said.including else ""
    index = parsed(f"CREATE UNIQUE INDEX {name} ON {table} USING btree ({_listed(said.keys)}){including}")
    index.options = said.options
    checked = (" DEFERRABLE" if said.deferrable else "") + (" INITIALLY DEFERRED" if said.initdeferred else "")
    taking = f"ALTER TABLE ONLY {table} ADD CONSTRAINT {name} {WORDS[said.contype]} USING INDEX {name}{checked}"
    return Apart(rewritten(index), parse_statement(taking))


def _listed(names: Any) -> str:
    return ", ".join(map(quote_ident, strings(names)))
