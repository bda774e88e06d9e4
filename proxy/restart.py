"""Goes on with the jobs that an earlier end of the proxy interrupted.

Each becomes a new job of its owner, in the order of their numbers, as if the owner had resumed it.  Which jobs these
are is the manager's business.
"""

from __future__ import annotations

import structlog

from clone_engine.jobs.manager import Caller, Manager
from clone_engine.records.errors import PgError
from clone_engine.records.request import Conninfo
from proxy.auth import Credentials
from proxy.calls.membership import rights, rights_column
from proxy.calls.roles import Roles

log = structlog.get_logger()


async def go_on(manager: Manager, credentials: Credentials, roles: Roles) -> None:
    """Resume what was interrupted.  What cannot be resumed stays failed; never raises PgError."""
    for job in manager.interrupted:
        try:
            target = await credentials.login(job.owner, job.database)
            roles.check(await _with_rights(Caller(job.owner, job.database), target, credentials, roles))
            number = await manager.resume(Caller(job.owner, job.database), job.job_id, target)
            log.info("interrupted job goes on", job_id=job.job_id, as_job_id=number)
        except PgError as error:
            log.warning("interrupted job cannot go on by itself", job_id=job.job_id, reason=error.message)
            await _leave(manager, job.job_id)


async def _with_rights(owner: Caller, target: Conninfo, credentials: Credentials, roles: Roles) -> Caller:
    """The owner as the server sees it by now, as far as the lists of roles depend on that."""
    asked = roles.to_ask(owner.role, frozenset())
    if not asked:
        return owner
    column = await credentials.ask(target, f"SELECT {rights_column(asked, 'utf-8')}")
    return roles.with_rights(owner, rights(asked, column))


async def _leave(manager: Manager, job_id: int) -> None:
    if manager.stopping:  # the next start may try
        return
    try:
        await manager.leave(job_id)
    except PgError as error:
        log.warning("job store failed", job_id=job_id, reason=error.message)
