"""What is known of the secrets of sources: until when, over a restart, and for which job."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import pytest

from clone_engine.jobs.sealing import Key
from clone_engine.jobs.sources import Sources
from clone_engine.records.job_store import JobStore, MemoryStore, StoreError
from clone_engine.records.jobs import Job
from clone_engine.records.request import CloneRequest, Conninfo

SOURCE = Conninfo({"host": "h", "user": "u", "password": "S3cret"})
PUBLIC = SOURCE.without_secrets()
JOB = Job(0, "alice", "app", CloneRequest("schema", "s"), PUBLIC, source_had_secret=True)
PLAIN = msgspec.structs.replace(JOB, source_had_secret=False)


def key() -> Key:
    return Key(b"k" * 32)


async def kept(store: JobStore, job: Job = JOB) -> tuple[Sources, Job]:
    """A job with its source, both as a proxy keeps them."""
    sources = Sources(store, key)
    await sources.start({})
    job = await store.add(job, seal=sources.seal(job, SOURCE))
    sources.keep(job, SOURCE)
    return sources, job


async def restarted(store: JobStore, *jobs: Job) -> Sources:
    sources = Sources(store, key)
    await sources.start({job.job_id: job for job in jobs})
    return sources


async def test_a_secret_is_known_after_a_restart(store: JobStore) -> None:
    await store.open()
    sources, job = await kept(store)
    assert sources.of(job) == SOURCE and sources.outlives(job)
    assert (await restarted(store, job)).of(job) == SOURCE
    assert "S3cret" not in repr(sources) + repr(vars(sources)) + repr(await store.sealed())
    await store.close()


async def test_without_a_secret_nothing_is_sealed() -> None:
    store = MemoryStore()
    await store.open()
    sources, job = await kept(store, PLAIN)
    assert sources.of(job) == PUBLIC and sources.outlives(job)
    assert await store.sealed() == {}


async def test_without_a_key_secrets_are_in_memory_only_and_what_was_sealed_is_forgotten() -> None:
    store = MemoryStore()
    await store.open()
    _, job = await kept(store)
    sources = Sources(store, None)
    await sources.start({job.job_id: job})
    assert await store.sealed() == {}
    assert sources.of(job) is None and not sources.outlives(job)
    sources.keep(job, SOURCE)
    assert sources.of(job) == SOURCE and sources.seal(job, SOURCE) is None


@pytest.mark.parametrize(
    "change", [{"owner": "bob"}, {"source": Conninfo({"host": "elsewhere", "user": "u"})}], ids=str
)
async def test_what_is_sealed_belongs_to_the_owner_and_the_server(change: dict[str, object]) -> None:
    store = MemoryStore()
    await store.open()
    _, job = await kept(store)
    assert (await restarted(store, msgspec.structs.replace(job, **change))).of(job) is None  # type: ignore[arg-type]


async def test_what_is_sealed_for_one_job_is_none_of_another_s() -> None:
    store = MemoryStore()
    await store.open()
    _, first = await kept(store)
    stolen = (await store.sealed())[first.job_id]
    second = await store.add(JOB, seal=lambda _: stolen)
    sources = await restarted(store, first, second)
    assert (sources.of(first), sources.of(second)) == (SOURCE, None)


async def test_what_cannot_be_forgotten_now_is_forgotten_at_the_next_start() -> None:
    class Filling(MemoryStore):
        full = True

        async def forget(self, job_ids: Iterable[int]) -> None:
            if self.full:
                raise StoreError("database or disk is full")
            await super().forget(job_ids)

    store = Filling()
    await store.open()
    sources, job = await kept(store)
    await sources.forget([job.job_id, 99])
    assert sources.of(job) is None and await store.sealed()
    store.full = False
    await restarted(store)
    assert await store.sealed() == {}
