"""What clients are told whose sessions the proxy ends, or whose server has gone."""

from __future__ import annotations

from clone_engine.records.errors import PgError
from proxy.wire.messages import ProtocolError

SERVER_LOST = PgError(
    "08006",
    "pgclone: the connection to the target server was lost",
    detail="A clone that the statement was waiting for is cancelled.",
    hint="Reconnect, and look at pgclone_jobs_view.",
)
SHUTTING_DOWN = PgError(
    "57P01",
    "terminating connection due to administrator command",
    detail="It is the proxy that shuts down.",
    hint="Reconnect when it is back.",
)
INTERRUPTING = PgError(
    "57P01",
    "terminating connection due to administrator command",
    detail="The proxy is shutting down, which interrupts its jobs.",
    hint="Reconnect when it is back; pgclone_jobs_view has the job, and pgclone_resume goes on with it.",
)
IDLE = PgError(
    "57P05",
    "terminating connection due to idle-session timeout",
    detail="It is the proxy's limits.client_idle_timeout.",
)


def not_understood(error: ProtocolError) -> PgError:
    """What a client is told whose session ends because of that."""
    return PgError(
        "08P01",
        "pgclone: what the target server says cannot be understood",
        detail=f"{error}.",
        hint="Check that the proxy's server.target names a PostgreSQL server.",
    )
