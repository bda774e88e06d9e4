"""Sources that the configuration names: where they are, as whom they are read, and which roles may use them.

Their conninfo is the operator's, so it may name files and any host; their password is in no statement and in no job's
record.  It is read when a job needs it, so a new one counts at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import psycopg
from psycopg.conninfo import conninfo_to_dict

from clone_engine.asking.conninfo import splits_a_password
from clone_engine.records.errors import PgError
from clone_engine.records.request import Conninfo

REFUSED: Mapping[str, str] = {
    **dict.fromkeys(("service", "servicefile"), "write down here what the service file says"),
    **dict.fromkeys(("client_encoding", "fallback_application_name", "replication"), "the clone sets it itself"),
    "sslkeylogfile": "the keys of connections are not written down",
    "sslpassword": "let the key be unencrypted, in a file that only the proxy's account can read",
    **dict.fromkeys(("scram_client_key", "scram_server_key"), "give a password"),
}


class NamedSource(NamedTuple):
    """One of them.  `repr` shows no secret."""

    conninfo: str
    password: str = ""
    """Goes before what the conninfo and the file say."""
    password_file: str = ""
    roles: frozenset[str] = frozenset()
    """Those that may use it, as may who has their rights; none is everybody."""

    def __repr__(self) -> str:
        return f"<NamedSource for {', '.join(sorted(self.roles)) or 'everybody'}>"

    def problems(self) -> Iterator[str]:
        """What cannot be used of it, one line each, without a secret.  Nothing is connected to."""
        try:
            given = self._parameters()
        except psycopg.Error:
            yield "conninfo is neither a conninfo nor a postgresql:// URL"  # libpq's words may repeat the password
            return
        if splits_a_password(self.conninfo):
            yield "conninfo has an @ in its password: write %40"
            return
        if not given.keys() & {"host", "hostaddr"}:
            yield "conninfo names no host"
        for keyword in given.keys() & REFUSED.keys():
            yield f"conninfo must not set {keyword}: {REFUSED[keyword]}"
        if "=" in given.get("dbname", "") or "://" in given.get("dbname", ""):
            yield "the dbname of conninfo is a conninfo itself"

    def reached(self, name: str, added: Mapping[str, str], role: str) -> Conninfo:
        """How `role` reaches the source with what the caller has added.

        PgError 22023 if that is set already, 58030 if the password cannot be read.
        """
        given = self._parameters()
        if set_already := [keyword for keyword in added if keyword in given]:
            raise PgError(
                "22023",
                f'pgclone: source "{name}" has its own {set_already[0]}',
                hint="Leave it out: what the proxy's configuration says of a named source cannot be changed in a call.",
            )
        password = {"password": found} if (found := self.password or self._in_file(name)) else {}
        return Conninfo({"user": role, **given, **added, **password})

    def _parameters(self) -> dict[str, str]:
        return {keyword: str(value) for keyword, value in conninfo_to_dict(self.conninfo).items() if value}

    def _in_file(self, name: str) -> str:
        if not self.password_file:
            return ""
        try:
            return Path(self.password_file).expanduser().read_text("utf-8").rstrip("\r\n")
        except (OSError, UnicodeError) as error:
            raise PgError(
                "58030",
                f'pgclone: the password of source "{name}" cannot be read',
                detail=f"Its file: {error.strerror or 'not UTF-8'}."
                if isinstance(error, OSError)
                else "It is not UTF-8.",
                hint="Whoever runs the proxy can correct password_file of this source in its configuration.",
            ) from None
