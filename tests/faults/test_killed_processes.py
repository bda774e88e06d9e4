"""Processes that are killed, stopped or starved in the middle of a clone: the rest goes on, and no row comes twice."""

from __future__ import annotations

import os
import resource
import signal

from tests.faults.stage import JOBS, WHOLE, Stage
from tests.harness.processes import children
from tests.harness.waiting import wait_until

MUCH = 2 << 20
"""Bytes for which a process must ask the system."""


def kill(what: str, pid: int, how: signal.Signals = signal.SIGKILL) -> None:
    print(f"  {how.name} to {what} ({pid})")
    os.kill(pid, how)


def goes_on(stage: Stage, job_id: int) -> int:
    """The job that goes on by itself from one that a restart interrupted, completed."""
    (told,) = [job for job in stage.jobs() if job.job_id == job_id]
    assert told.status == "failed" and f"pgclone_resume({job_id})" in told.message
    later = wait_until(lambda: [j.job_id for j in stage.jobs() if j.job_id > job_id], 30, "a job that goes on")
    assert stage.ended(later[0]).status == "completed"
    return later[0]


def test_a_copier_is_killed_in_the_middle_of_a_part(stage: Stage) -> None:
    """Its part is made once more by another one, and the job does not fail."""
    job_id = stage.clone()
    stage.until_at_gates()
    kill("the copier", stage.copier_at_gate())
    with stage.gate_open():
        assert stage.ended(job_id).status == "completed"
    stage.assert_exactly()


def test_the_job_process_is_killed_in_the_middle_of_a_part(stage: Stage) -> None:
    job_id = stage.clone()
    stage.until_at_gates()
    kill("the job process", stage.job_process())
    assert stage.ended(job_id).status == "failed"
    with stage.gate_open():
        assert stage.ended(stage.resume(job_id)).status == "completed"
    stage.assert_exactly()


def test_the_proxy_is_killed_with_three_jobs_running(stage: Stage) -> None:
    schemas = ("one", "two", "three")
    jobs = [stage.clone(schema, WHOLE) for schema in schemas]
    stage.until_at_gates(3)
    print(f"  SIGKILL to the proxy ({stage.proxy.pid}) with jobs {jobs}")
    stage.proxy.kill()
    with stage.gate_open():
        stage.proxy.start()
        wait_until(lambda: len(stage.jobs()) == 6, 30, "three jobs that go on")
        assert {stage.ended(job_id).status for job_id in jobs} == {"failed"}
        later = [job.job_id for job in stage.jobs() if job.job_id not in jobs]
        assert {stage.ended(job_id).status for job_id in later} == {"completed"}
    stage.assert_exactly(*schemas)


def test_what_was_committed_while_the_proxy_could_not_know_is_not_copied_again(stage: Stage) -> None:
    """Everything is on the target and nothing of it in the store when proxy and job process are killed."""
    job_id = stage.clone()
    stage.until_at_gates()
    job_process = stage.job_process()
    kill("the proxy", stage.proxy.pid, signal.SIGSTOP)
    with stage.gate_open():
        wait_until(
            lambda: stage.target.value(
                "SELECT every(analyze_count > 0) FROM pg_stat_user_tables WHERE schemaname = 'shop'"
            ),
            60,
            "the last step",
        )
    copied_by = stage.copied_by()
    kill("the job process", job_process)
    stage.proxy.kill()
    stage.proxy.start()
    goes_on(stage, job_id)
    assert stage.copied_by() == copied_by
    stage.assert_exactly()


def test_a_job_that_was_stopped_and_wakes_up_when_another_goes_on_commits_nothing(stage: Stage) -> None:
    """The other one has its journal already, and waits for the locks of its half-done copy."""
    job_id = stage.clone()
    stage.until_at_gates()
    zombie = stage.job_process()
    stopped = [zombie, *children(zombie)]
    for pid in stopped:
        kill("a process of the job", pid, signal.SIGSTOP)
    stage.proxy.kill()
    with stage.gate_open():
        stage.proxy.start()
        waiting = f"SELECT count(*) FROM pg_stat_activity WHERE {JOBS} AND wait_event_type = 'Lock'"
        wait_until(lambda: stage.target.value(waiting), 30, "the other job to wait")
        for pid in stopped:
            kill("a process of the job", pid, signal.SIGCONT)
        goes_on(stage, job_id)
    stage.assert_exactly()


def test_a_copier_without_memory_fails_the_job_which_is_resumed(stage: Stage) -> None:
    """It still needs some: the statement for an index that has a condition of many megabytes."""
    job_id = stage.clone(more=f"CREATE INDEX ON shop.big (id) WHERE filling <> '{'x' * MUCH}'")
    stage.until_at_gates()
    for copier in children(stage.job_process()):
        print(f"  no more memory for copier {copier}")
        resource.prlimit(copier, resource.RLIMIT_AS, (1, resource.RLIM_INFINITY))
    with stage.gate_open():
        assert stage.ended(job_id).status == "failed"
        assert stage.ended(stage.resume(job_id)).status == "completed"
    stage.assert_exactly()
