"""Goes on with the jobs that an earlier end of the proxy interrupted.

Each becomes a new job of its owner, in the order of their numbers, as if the owner had resumed it.  Which jobs these
are is the manager's business.
"""

from __future__ import annotations

import structlog

from clone_engine.jobs.manager import Caller, Manager
from clone_engine.records.errors import PgError
from proxy.auth import Credentials
from proxy.calls.roles import Roles
from proxy.sources.access import SourceAccess

log = structlog.get_logger()


async def go_on(manager: Manager, credentials: Credentials, roles: Roles, sources: SourceAccess) -> None:
    """Resume what was interrupted.  What cannot be resumed stays failed; never raises PgError."""
    for job in manager.interrupted:
        try:
            caller = Caller(job.owner, job.database)
            target = await credentials.login(caller)
            asked = roles.to_ask(caller.role, frozenset(each.owner for each in manager.jobs))
            caller = roles.with_rights(caller, await credentials.rights(target, asked))
            roles.check(caller)
            reached = await sources.reached(caller, manager.source_to_resume(caller, job.job_id), target)
            number = await manager.resume(caller, job.job_id, target, reached)
            log.info("interrupted job goes on", job_id=job.job_id, as_job_id=number)
        except PgError as error:
            log.warning("interrupted job cannot go on by itself", job_id=job.job_id, reason=error.message)
            await _leave(manager, job.job_id)


async def _leave(manager: Manager, job_id: int) -> None:
    if manager.stopping:  # the next start may try
        return
    try:
        await manager.leave(job_id)
    except PgError as error:
        log.warning("job store failed", job_id=job_id, reason=error.message)
