"""Where the target server is, and opening a connection to it.

The target is given as a conninfo or URL; what a session needs of it is an address.  Logging in is the client's
business (the session relays it), or `auth.py`'s for a job.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import NamedTuple, TypeVar

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from clone_engine.records.errors import PgError
from clone_engine.records.request import Conninfo
from proxy.config import ConfigError

P = TypeVar("P", bound=asyncio.Protocol)


class Target(NamedTuple):
    """The address of the target server: a host and port, or the directory of a unix socket and its port."""

    host: str
    port: int
    conninfo: Conninfo
    """What the setting says, as parameters: jobs start from it."""
    timeout: float = 10.0
    """Seconds that connecting may take."""

    def __repr__(self) -> str:
        return f"<Target {self.address}>"

    @property
    def address(self) -> str:
        """host:port, or the path of the unix socket."""
        return self.socket_path or f"{self.host}:{self.port}"

    @property
    def socket_path(self) -> str:
        """The path of the unix socket; '' for TCP."""
        return str(Path(self.host) / f".s.PGSQL.{self.port}") if self.host.startswith("/") else ""

    async def connect(self, protocol: P) -> P:
        """Open a connection that `protocol` then serves.  PgError 08001 if it cannot be had in time."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self.timeout):
                if self.socket_path:
                    await loop.create_unix_connection(lambda: protocol, self.socket_path)
                else:
                    await loop.create_connection(lambda: protocol, self.host, self.port)
        except TimeoutError:
            raise self._unreachable("no answer in time") from None
        except OSError as error:
            raise self._unreachable(error.strerror or str(error)) from None
        return protocol

    def _unreachable(self, reason: str) -> PgError:
        return PgError(
            "08001",
            f"pgclone: could not connect to the target server at {self.address}: {reason}",
            hint="Check that the target server is running and that the proxy's server.target names it.",
        )


def parse_target(text: str, timeout: float) -> Target:
    """The target that a conninfo or URL names.  ConfigError if it cannot be read or has several hosts."""
    try:
        given = {k: str(v) for k, v in conninfo_to_dict(text).items() if v is not None}
    except ProgrammingError:
        # libpq's own message may repeat the text, password included.
        raise ConfigError("configuration: server.target is neither a conninfo nor a postgresql:// URL") from None
    host = given.get("hostaddr") or given.get("host") or "localhost"
    port = given.get("port", "5432")
    if "," in host or "," in port:
        raise ConfigError("configuration: server.target names several hosts, which is not supported yet")
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise ConfigError("configuration: the port of server.target must be from 1 to 65535")
    return Target(host, int(port), Conninfo(given | {"host": given.get("host", host), "port": port}), timeout)
