"""Runs the queries in `sql/`: one file, one query, one list of named tuples.

Which file answers what is written in the file; what the answers mean is for `source.py` and `conflict.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from typing import Any

import psycopg
from psycopg import RawCursor
from psycopg.rows import namedtuple_row

from clone_engine.servers.server_error import from_psycopg


def rows(connection: psycopg.Connection[Any], query: str, parameters: Sequence[object] = ()) -> list[Any]:
    """What `sql/<query>.sql` returns for $1, $2, …; the search_path of the session must be empty, as `connect` leaves
    it, for names would lose the schemas that are in it.

    PgError with the server's own words if it fails.
    """
    try:
        with RawCursor(connection, row_factory=namedtuple_row) as cursor:
            return cursor.execute(text_of(query), parameters).fetchall()
    except psycopg.Error as error:
        raise from_psycopg(error) from error


def text_of(query: str) -> str:
    """The text of `sql/<query>.sql`."""
    return resources.files("clone_engine.servers").joinpath("sql", f"{query}.sql").read_text(encoding="utf-8")
