"""With which credential a job logs in to the target: the caller's own, or none.

The principal is the role that the target server authenticated for the session.  A job logs in as that role: without
a password where the server asks for none, else with the one that the proxy's passfile has for it, else the call is
refused.  How the client itself logs in is not looked at: the session relays it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import psycopg

from clone_engine.records.errors import PgError
from clone_engine.records.request import Conninfo
from clone_engine.servers.connect import NO_FILE
from clone_engine.servers.server_error import from_login, from_psycopg
from proxy.calls.membership import NONE, Rights, rights, rights_column
from proxy.upstream import Target

# Nothing of the proxy's own environment may lend a job an identity that is not the caller's.
_NO_AMBIENT = {"passfile": NO_FILE, "gssencmode": "disable"}

NO_CHOICE: Mapping[str, str] = MappingProxyType({})


class Credentials:
    """Finds the conninfo with which a job may log in to the target as a role, and tries it."""

    def __init__(self, target: Target, passfile: str) -> None:
        self._target = target
        self._passfile = Path(passfile).expanduser() if passfile else None

    def __repr__(self) -> str:
        return f"<Credentials for {self._target.address}, passfile {self._passfile}>"

    async def login(self, role: str, database: str, server: Mapping[str, str] = NO_CHOICE) -> Conninfo:
        """A conninfo that has just logged in as `role`; it may hold a password.  `server` are parameters that
        lead to one of the target's servers.

        PgError 28000 if the server asks for a password and none is known, or a name is not UTF-8; else the
        server's own error.
        """
        kept = {
            k: v
            for k, v in self._target.conninfo.parameters.items()
            if k not in ("user", "password", "dbname", "passfile")
        }
        _check_names(role, database)
        parameters = kept | dict(server) | {"user": role, "dbname": database}
        try:
            await self._try(parameters)
        except psycopg.OperationalError as error:
            if not (error.pgconn and error.pgconn.needs_password):
                raise from_login(error, Conninfo(parameters), f'target as role "{role}"') from None
            parameters["password"] = await self._with_passfile(parameters, role)
        return Conninfo(parameters)

    async def rights(self, target: Conninfo, roles: tuple[str, ...]) -> Rights:
        """The rights of who logs in with `target`, as far as they are of `roles`.  The server's error as PgError."""
        if not roles:
            return NONE
        try:
            async with await self._connect(target.parameters) as connection:
                query = f"SELECT {rights_column(roles, connection.info.encoding)}"
                row = await (await connection.execute(query.encode())).fetchone()
        except psycopg.Error as error:
            raise from_psycopg(error) from None
        return rights(roles, row[0] if row else None)

    async def _with_passfile(self, parameters: dict[str, str], role: str) -> str:
        """The password that the passfile has for this login, after it has worked."""
        if self._passfile is None:
            raise _no_credential(role)
        try:
            return await self._try(parameters | {"passfile": str(self._passfile)})
        except psycopg.OperationalError as error:
            if error.pgconn and error.pgconn.needs_password:
                raise _no_credential(role) from None
            raise from_login(error, Conninfo(parameters), f'target as role "{role}"') from None

    async def _try(self, parameters: dict[str, str]) -> str:
        """Log in and out again; the password that was used, or ''."""
        async with await self._connect(parameters) as connection:
            return connection.info.password

    async def _connect(self, parameters: dict[str, str]) -> psycopg.AsyncConnection:
        options = _NO_AMBIENT | {"connect_timeout": str(max(2, int(self._target.timeout)))} | parameters
        return await psycopg.AsyncConnection.connect(**options, autocommit=True)  # type: ignore[arg-type]


def _check_names(*names: str) -> None:
    try:
        "".join(names).encode()
    except UnicodeEncodeError:
        raise PgError(
            "28000",
            "pgclone: a job cannot log in to the target with this role or database name",
            detail="The name is not valid UTF-8.",
            hint="Call from a session whose role and database have other names.",
        ) from None


def _no_credential(role: str) -> PgError:
    return PgError(
        "28000",
        f'pgclone: no credential with which a job could log in to the target as role "{role}"',
        detail="The target server asks for a password, and the proxy does not learn the one that you logged in with.",
        hint=f'Add a line for role "{role}" to the proxy\'s passfile (jobs.passfile in its configuration), '
        "or let the target server accept the role from the proxy's host without a password.",
    )
