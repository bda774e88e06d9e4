"""What is asked of the engine: which objects, from where, to where, with which options.

Frozen records only.  Reading the JSON options is `options.py`, reading a conninfo is `conninfo.py`; how a
request becomes steps is `plan.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

import msgspec

Kind = Literal["table", "schema", "functions", "database", "database_create"]
KINDS: tuple[Kind, ...] = get_args(Kind)
DATABASE_KINDS: frozenset[Kind] = frozenset({"database", "database_create"})
"""Those that take in every schema, and what is in none."""
Conflict = Literal["error", "skip", "replace", "rename"]


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The JSON options of a call, validated.  The defaults are those of an absent key."""

    indexes: bool = True
    constraints: bool = True
    triggers: bool = True
    matviews: bool = True
    columns: tuple[str, ...] = ()
    """Only these columns (table clones); () is all of them."""
    where: str = ""
    """One SQL expression that the source evaluates per row (table clones); '' is every row.  It holds no comment, so it
    may be put between parentheses."""
    tables: tuple[str, ...] = ()
    """Regular expressions; only tables whose whole name one of them matches are cloned (not in table clones).  In
    clones of a database they match `schema.table`.  () is every table."""
    exclude_tables: tuple[str, ...] = ()
    """The same, for tables that are not cloned."""
    conditions: dict[str, str] = {}
    """`where` for single tables by name (not in table clones); `schema.table` in clones of a database."""
    conflict: Conflict = "error"
    parallel: int = 0
    """Number of copiers; 0 takes the configured default."""
    consistent: bool = True
    format: Literal["auto", "text", "binary"] = "auto"
    """Of the rows on their way."""


class CloneRequest(msgspec.Struct, frozen=True):
    """One clone call, with its defaults filled in.  Holds no credential and no conninfo."""

    kind: Kind
    schema_name: str = ""
    """'' for a clone of a database."""
    table_name: str = ""
    """The source table of a table clone, else ''."""
    target_table_name: str = ""
    """The name on the target; '' means the source's."""
    include_data: bool = True
    options: Options = Options()
    target_database: str = ""
    """The database to create and clone into; '' clones into the caller's."""

    @property
    def whole_database(self) -> bool:
        """Whether this is a clone of all schemas."""
        return self.kind in DATABASE_KINDS

    @property
    def workers(self) -> int:
        """How many copiers are shown as jobs of their own, with the numbers behind the job's: all, if the caller asked
        for several."""
        return self.options.parallel if self.options.parallel > 1 else 0


class Conninfo(msgspec.Struct, frozen=True):
    """Connection parameters by libpq keyword.  `repr` and `str` never show the values of secret keywords."""

    parameters: dict[str, str]
    password_demanded: bool = False
    """Whether a connection counts only if the server has asked for the password: else it is the address or the account
    of the proxy's machine that it trusts."""

    def __repr__(self) -> str:
        return f"<Conninfo {self.public()}>"

    def __str__(self) -> str:
        return self.public()

    def public(self) -> str:
        """The parameters that may be logged and stored, as `keyword=value` separated by blanks."""
        return " ".join(f"{k}={v}" for k, v in self.parameters.items() if k not in SECRET_KEYWORDS)

    def without_secrets(self) -> Conninfo:
        """The same conninfo without its secret keywords."""
        public = {k: v for k, v in self.parameters.items() if k not in SECRET_KEYWORDS}
        return Conninfo(public, self.password_demanded)

    def with_parameters(self, parameters: Mapping[str, str]) -> Conninfo:
        """The same conninfo with other values of some keywords."""
        return Conninfo({**self.parameters, **parameters}, self.password_demanded)


SECRET_KEYWORDS = frozenset({"password", "sslpassword", "scram_client_key", "scram_server_key", "oauth_client_secret"})
