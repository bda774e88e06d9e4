"""The source conninfos of jobs that may yet be resumed, as far as they hold secrets.

They are in memory and, where there is a key, sealed in the store as well, so that a job can go on after a restart.
Sealed is only what is secret in them, and it belongs to its job and to where that job connects: moved to the record of
another job, or of another server, it cannot be opened.  Until when a job may be resumed is the manager's business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import msgspec
import structlog

from clone_engine.jobs.sealing import Key
from clone_engine.records.job_store import JobStore, Seal, StoreError
from clone_engine.records.jobs import Job
from clone_engine.records.request import Conninfo

log = structlog.get_logger()

OpenKey = Callable[[], Key]
"""Reads the key, or makes it; StoreError if it cannot be used."""


class Sources:
    """What is known of secrets.  Without `open_key` nothing of them is sealed, and what was is forgotten."""

    def __init__(self, store: JobStore, open_key: OpenKey | None) -> None:
        self._store = store
        self._open_key = open_key
        self._key: Key | None = None
        self._secret: dict[int, Conninfo] = {}

    def __repr__(self) -> str:
        return f"<Sources of {len(self._secret)} jobs, {'sealed' if self._key else 'in memory only'}>"

    async def start(self, jobs: Mapping[int, Job]) -> None:
        """Open what is sealed for `jobs`, which may yet be resumed; forget what is sealed for others.

        The store must be open.  StoreError if it, or the key, cannot be used.
        """
        sealed = await self._store.sealed()
        if self._open_key:
            self._key = self._open_key()
        if useless := [job_id for job_id in sealed if job_id not in jobs or self._key is None]:
            await self._store.forget(useless)
        if self._key is None:
            return
        for job_id in sealed.keys() & jobs.keys():
            if opened := self._key.open(sealed[job_id], _belonging_to(jobs[job_id], job_id)):
                secrets = msgspec.json.decode(opened, type=dict[str, str])
                self._secret[job_id] = Conninfo(jobs[job_id].source.parameters | secrets)
            else:
                log.warning(
                    "sealed password cannot be opened, the key file is not the one it was sealed with", job_id=job_id
                )

    def of(self, job: Job) -> Conninfo | None:
        """The job's source with its secrets; None if it had some that are no longer known."""
        return self._secret.get(job.job_id) if job.source_had_secret else job.source

    def outlives(self, job: Job) -> bool:
        """Whether the job's source will be known, with its secrets, when the proxy starts again."""
        return self._key is not None or not job.source_had_secret

    def seal(self, job: Job, source: Conninfo) -> Seal | None:
        """What makes the sealed secrets of a new job; None if there is nothing to be kept."""
        if self._key is None or not job.source_had_secret:
            return None
        key, public = self._key, job.source.parameters
        secrets = msgspec.json.encode({k: v for k, v in source.parameters.items() if k not in public})
        return lambda job_id: key.seal(secrets, _belonging_to(job, job_id))

    def keep(self, job: Job, source: Conninfo) -> None:
        """Remember the source of a job that the store has taken in."""
        if job.source_had_secret:
            self._secret[job.job_id] = source

    async def forget(self, job_ids: Iterable[int]) -> None:
        """The jobs cannot be resumed any more.  What the store fails to forget now it forgets at the next start."""
        had = [job_id for job_id in job_ids if self._secret.pop(job_id, None)]
        if had and self._key:
            try:
                await self._store.forget(had)
            except StoreError as failure:
                log.error("job store failed, it still has sealed passwords", job_ids=had, error=str(failure))


def _belonging_to(job: Job, job_id: int) -> bytes:
    return msgspec.json.encode(["source", job_id, job.owner, job.database, sorted(job.source.parameters.items())])
