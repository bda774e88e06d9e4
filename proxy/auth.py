"""With which credential a job logs in to the target: the caller's own, or none.

The principal is the role that the target server authenticated for the session.  A job logs in as that role: with what
the session has logged in with, where the proxy has learnt that; else without a password where the server asks for none;
else with the one that the proxy's passfile has for the role; else the call is refused.  How sessions log in: `login/`.
"""

from __future__ import annotations

from collections.abc import Mapping

import psycopg
from psycopg import pq

from clone_engine.jobs.manager import Caller
from clone_engine.records.errors import PgError
from clone_engine.records.request import Conninfo
from clone_engine.servers.connect import NO_FILE
from clone_engine.servers.server_error import from_login, from_psycopg
from proxy.calls.membership import Rights, rights, rights_column
from proxy.config.files import file_at
from proxy.upstream import Target

_OF_SOMEBODY = frozenset(("user", "password", "dbname", "passfile", "scram_client_key", "scram_server_key"))
"""Keywords of the target's conninfo that say who logs in, or prove it."""

KEYS_SINCE = 180000
"""The first libpq that logs in with SCRAM keys."""

WITHOUT = {
    "password": (
        "your session was asked for none, or gave one that is not UTF-8",
        "Give the role a password in UTF-8, and have the target's pg_hba.conf ask sessions and jobs for the same.",
    ),
    "relay": (
        "the proxy does not learn the one that you logged in with (auth.mode is relay)",
        'Have auth.mode set to "password" or "terminate" in the proxy\'s configuration.',
    ),
    "terminate": (
        "what your session has proven to know is of use only for scram-sha-256",
        "Have the role's password, and not its verifier, put into the proxy's auth file (auth.file).",
    ),
}
"""Why the proxy knows no credential of a session's, by `auth.mode`, and what can be done about it."""

# Nothing of the proxy's own environment may lend a job an identity that is not the caller's.
_NO_AMBIENT = {"passfile": NO_FILE, "gssencmode": "disable"}


class Credentials:
    """Finds the conninfo with which a job may log in to the target as a role, and tries it.

    `mode` is how sessions log in (`auth.mode`); those who are refused are told what they can do about it.
    """

    def __init__(self, target: Target, passfile: str, mode: str) -> None:
        self._target = target
        self._passfile = file_at("jobs.passfile", passfile) if passfile else None
        self._mode = mode

    def __repr__(self) -> str:
        return f"<Credentials for {self._target.address}, passfile {self._passfile}>"

    async def login(self, caller: Caller) -> Conninfo:
        """A conninfo that has just logged in as the caller's role, on the server of its session; it may hold the
        caller's credential.

        PgError 28000 if the server asks for a password and none is known, or a name is not UTF-8; else the
        server's own error.
        """
        role = caller.role
        _check_names(role, caller.database)
        _check_keys(caller.credential.parameters)
        of_target = self._target.conninfo.parameters
        kept = {keyword: value for keyword, value in of_target.items() if keyword not in _OF_SOMEBODY}
        names = {"user": role, "dbname": caller.database}
        parameters = kept | caller.server | names | caller.credential.parameters
        try:
            await self._try(parameters)
        except psycopg.OperationalError as error:
            if not _lacks_password(error, parameters):
                raise from_login(error, Conninfo(parameters), f'target as role "{role}"') from None
            parameters["password"] = await self._with_passfile(parameters, role)
        return Conninfo(parameters)

    async def rights(self, target: Conninfo, roles: tuple[str, ...]) -> Rights:
        """Whether who logs in with `target` is a superuser, and which of `roles` it has the rights of.

        The server's error as PgError.
        """
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
            raise _no_credential(role, self._mode)
        try:
            return await self._try(parameters | {"passfile": str(self._passfile)})
        except psycopg.OperationalError as error:
            if _lacks_password(error, parameters):
                raise _no_credential(role, self._mode) from None
            raise from_login(error, Conninfo(parameters), f'target as role "{role}"') from None

    async def _try(self, parameters: dict[str, str]) -> str:
        """Log in and out again; the password that was used, or ''."""
        async with await self._connect(parameters) as connection:
            return connection.info.password

    async def _connect(self, parameters: dict[str, str]) -> psycopg.AsyncConnection:
        options = _NO_AMBIENT | {"connect_timeout": str(max(2, int(self._target.timeout)))} | parameters
        return await psycopg.AsyncConnection.connect(**options, autocommit=True)  # type: ignore[arg-type]


def _lacks_password(error: psycopg.OperationalError, parameters: Mapping[str, str]) -> bool:
    """Whether a login has failed for want of a password.

    libpq says that it needs one also where it has logged in with SCRAM keys and the server has refused that, for
    whatever reason.
    """
    if not (error.pgconn and error.pgconn.needs_password):
        return False
    return "scram_client_key" not in parameters or "no password supplied" in str(error)


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


def _check_keys(credential: Mapping[str, str]) -> None:
    if "scram_client_key" in credential and pq.version() < KEYS_SINCE:
        raise PgError(
            "0A000",
            "pgclone: jobs cannot log in to the target with the proxy's libpq, which is older than 18",
            detail="Of your password the proxy knows no more than SCRAM keys (auth.mode is terminate).",
            hint="The proxy's administrator can install psycopg[binary] with libpq 18, or put the role's password "
            "into the auth file.",
        )


def _no_credential(role: str, mode: str) -> PgError:
    why, instead = WITHOUT[mode]
    return PgError(
        "28000",
        f'pgclone: no credential with which a job could log in to the target as role "{role}"',
        detail=f"The target server asks for a password, and {why}.",
        hint=f'{instead}  Or add a line for role "{role}" to the proxy\'s passfile (jobs.passfile), '
        "or have the target server accept the role from the proxy's host without a password.",
    )
