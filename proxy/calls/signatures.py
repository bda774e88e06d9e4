"""The SQL functions and the view that the proxy answers: names, arguments, defaults, result types, as a table.

Data only.  Finding them in a statement is `rewrite.py`, doing what they ask is `handlers.py`.
Types are PostgreSQL type names; OIDs stand in pg_type.dat.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from clone_engine.records.report import COLUMNS as OBJECT_COLUMNS

Role = Literal["read", "action"]
"""read: a look-up in the snapshot · action: the proxy does something for each call, most often to a job."""

Columns = tuple[tuple[str, str], ...]
"""Names and types."""


class Argument(NamedTuple):
    """One declared argument.  `default` is the SQL text of its default; None means that it is required."""

    name: str
    type: str
    default: str | None = None
    confidential: bool = False
    """Its values may hold a password: a stand-in goes to the server, which might log or show them."""

    def __str__(self) -> str:
        return f"{self.name} {self.type}" + (f" DEFAULT {self.default}" if self.default is not None else "")

    def optional(self, default: str) -> Argument:
        """The same argument with a default."""
        return self._replace(default=default)


class Signature(NamedTuple):
    """One function as CREATE FUNCTION would declare it, in both spellings: pgclone_NAME and pgclone.NAME."""

    name: str
    role: Role
    arguments: tuple[Argument, ...]
    returns: str
    strict: bool = True
    section: str = ""
    """Of a read: the section of the snapshot that answers it."""
    columns: Columns = ()
    """Of a set-returning function: its columns, as RETURNS TABLE says them; `returns` is record then."""
    read_only: bool = False
    """Of an action: it changes nothing, so a read-only transaction may call it."""

    @property
    def flat(self) -> str:
        """The name with its prefix, as error messages and column headers show it."""
        return f"pgclone_{self.name}"


CONNINFO = Argument("source_conninfo", "text", confidential=True)
SCHEMA = Argument("schema_name", "text")
TABLE = Argument("table_name", "text")
DATABASE = Argument("target_dbname", "text")
DATA = Argument("include_data", "boolean")
NAME = Argument("target_table_name", "text")
OPTIONS = Argument("options", "text")
FLAGS = tuple(Argument(f"include_{what}", "boolean", "true") for what in ("indexes", "constraints", "triggers"))
JOB = Argument("job_id", "integer")

ONE_TABLE = (CONNINFO, SCHEMA, TABLE)
ONE_SCHEMA = (CONNINFO, SCHEMA)
WITH_DATA = DATA.optional("true")
WITH_OPTIONS = OPTIONS.optional("NULL")

VIEW = "jobs_view"
VIEW_SECTION = "j"
VIEW_COLUMNS: Columns = (
    ("job_id", "integer"),
    ("status", "text"),
    ("op_type", "text"),
    ("schema_name", "text"),
    ("table_name", "text"),
    ("current_phase", "text"),
    ("current_table", "text"),
    ("tables_total", "bigint"),
    ("tables_completed", "bigint"),
    ("rows_copied", "bigint"),
    ("bytes_copied", "bigint"),
    ("elapsed_ms", "bigint"),
    ("start_time", "timestamp with time zone"),
    ("end_time", "timestamp with time zone"),
    ("error_message", "text"),
    ("pct_complete", "double precision"),
    ("progress_bar", "text"),
    ("elapsed_time", "text"),
    # The original's end here.
    ("owner", "text"),
    ("database", "text"),
    ("rows_total", "bigint"),
    ("bytes_total", "bigint"),
    ("rows_per_second", "double precision"),
    ("eta", "timestamp with time zone"),
)
VERIFIED: Columns = (
    ("schema_name", "text"),
    ("table_name", "text"),
    ("source_rows", "bigint"),
    ("target_rows", "bigint"),
    ("match", "text"),
)
OBJECTS: Columns = tuple((name, "text") for name in OBJECT_COLUMNS)

# fmt: off
FUNCTIONS: tuple[Signature, ...] = (
    Signature("table", "action", (*ONE_TABLE, WITH_DATA), "text"),
    Signature("table", "action", (*ONE_TABLE, DATA, NAME), "text", strict=False),
    Signature("table", "action", (*ONE_TABLE, DATA, NAME, OPTIONS), "text", strict=False),
    Signature("table_ex", "action", (*ONE_TABLE, DATA, NAME, *FLAGS), "text", strict=False),
    Signature("schema", "action", (*ONE_SCHEMA, WITH_DATA), "text"),
    Signature("schema", "action", (*ONE_SCHEMA, DATA, OPTIONS), "text", strict=False),
    Signature("schema_ex", "action", (*ONE_SCHEMA, DATA, *FLAGS), "text", strict=False),
    Signature("functions", "action", ONE_SCHEMA, "text"),
    Signature("database", "action", (CONNINFO, WITH_DATA), "text"),
    Signature("database", "action", (CONNINFO, DATA, OPTIONS), "text", strict=False),
    Signature("database_create", "action", (CONNINFO, DATABASE, WITH_DATA), "text", strict=False),
    Signature("database_create", "action", (CONNINFO, DATABASE, DATA, OPTIONS), "text", strict=False),
    Signature(
        "table_async", "action", (*ONE_TABLE, WITH_DATA, NAME.optional("NULL"), WITH_OPTIONS), "integer", strict=False
    ),
    Signature("schema_async", "action", (*ONE_SCHEMA, WITH_DATA, WITH_OPTIONS), "integer", strict=False),
    Signature("progress", "read", (JOB,), "text", section="p"),
    Signature("jobs", "read", (), "text", section="l"),
    Signature("progress_detail", "read", (), "record", section="d", columns=VIEW_COLUMNS),
    Signature("job_objects", "action", (JOB,), "record", columns=OBJECTS, read_only=True),
    Signature("cancel", "action", (JOB,), "text"),
    Signature("resume", "action", (JOB,), "integer"),
    Signature("clear_jobs", "action", (), "integer"),
    Signature("verify", "action", ONE_SCHEMA, "record", columns=VERIFIED, read_only=True),
    Signature("verify", "action", (CONNINFO,), "record", columns=VERIFIED, read_only=True),
    Signature("version", "read", (), "text", section="v"),
)
# fmt: on
"""Every function.  Those of one name differ in the number of their arguments, and share role and result."""


class Call(NamedTuple):
    """One recorded call of an action: which function, and its arguments by declared name, defaults filled in."""

    signature: Signature
    arguments: dict[str, Any]
    key: str
    """What the server computed over site and arguments; results are handed back under it."""
    site: int
