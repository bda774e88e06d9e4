"""Job processes (a stand-in for the real one): what they are given, and that none is left behind.

What they do as any dispatcher's work does: `test_dispatcher.py`.
"""

from __future__ import annotations

import asyncio
import errno
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import uvloop

from clone_engine.jobs import forking
from clone_engine.jobs.children import JobProcess, JobProcesses, job_environment
from clone_engine.jobs.dispatcher import DispatchError
from clone_engine.jobs.forking import Forker, Streams
from clone_engine.records.channel import Done, Ended, Reported
from tests.harness.processes import children
from tests.harness.waiting import wait_until, wait_until_async
from tests.unit.engine.conftest import QUICK, STAND_IN
from tests.unit.engine.test_dispatcher import everything, first_line


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def open_files(pid: int) -> list[str]:
    return [str(file.readlink()) for file in Path(f"/proc/{pid}/fd").iterdir()]


async def test_repr_says_how_it_ended(processes: JobProcesses) -> None:
    child = await processes.start(first_line("complete"))
    await everything(child)
    await child.close()
    assert repr(child) == f"<JobProcess of job 7, pid {child.pid}, exit code 0>"


@pytest.mark.parametrize(
    ("behaviour", "asking_was_enough", "ending"),
    [("wait", True, "exit code 0"), ("ignore_cancel", False, "SIGTERM"), ("ignore_signals", False, "SIGKILL")],
)
async def test_each_rung_of_stopping(
    processes: JobProcesses, behaviour: str, asking_was_enough: bool, ending: str
) -> None:
    child = await processes.start(first_line(behaviour))
    assert await child.receive()
    async with asyncio.timeout(20):
        assert await child.stop() is asking_was_enough
    assert child.ending == ending and not alive(child.pid)
    await child.close()


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_copiers_of_a_killed_process_are_killed_too(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """They hold its pipes, so that waiting for the end of file alone would take as long as they live."""

    async def run() -> int:
        processes = JobProcesses({"PATH": "/usr/bin:/bin"}, QUICK, STAND_IN)
        child = await processes.start(first_line("die_with_orphan"))
        (said,) = await asyncio.wait_for(everything(child), 10)
        await child.close()
        await processes.close()
        assert child.ending == "SIGKILL" and isinstance(said, Done)
        return int(said.key.removeprefix("pid "))

    with asyncio.Runner(loop_factory=new_loop) as runner:
        orphan = runner.run(run())
    wait_until(lambda: not alive(orphan))


async def test_close_ends_a_process_that_does_not(processes: JobProcesses) -> None:
    child = await processes.start(first_line("hang_after_end"))
    assert await child.receive() == [Ended("completed")]
    await child.close()
    assert child.ending == "SIGTERM" and not alive(child.pid)


async def test_process_has_a_session_of_its_own_and_no_file_of_ours(processes: JobProcesses, tmp_path: Path) -> None:
    with (tmp_path / "ours").open("w"):
        child = await processes.start(first_line("wait"))
        await child.receive()
        files = open_files(child.pid)
        assert len(files) == 3 and str(tmp_path / "ours") not in files
        assert os.getsid(child.pid) == child.pid != os.getsid(0)
        await child.stop()
        await child.close()


def test_environment_is_made_from_a_list() -> None:
    environment = job_environment(
        {
            "PATH": "/bin",
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "HOME": "/home/proxy",
            "PYTHONPATH": "/a:/b",
            "PGPASSWORD": "x",
            "PGSERVICE": "x",
            "PGCLONE_PROXY_SERVER_TARGET": "x",
            "DATABASE_URL": "x",
            "AWS_SECRET_ACCESS_KEY": "x",
        }
    )
    assert environment.keys() == {"PATH", "LC_ALL", "TZ", "HOME", "PYTHONPATH", "PYTHONUSERBASE", "PYTHONUNBUFFERED"}
    assert environment["HOME"] == "/nonexistent"
    assert environment["PYTHONPATH"] == f"{Path(__file__).parents[3]}:/a:/b"


async def test_number_of_copiers_arrives(processes: JobProcesses) -> None:
    child = await processes.start(first_line("show_environment"))
    outcomes = {m.outcome.object: m.outcome.message for m in await everything(child) if isinstance(m, Reported)}
    await child.close()
    assert outcomes["parallel"] == "1"


def forker_of(child: JobProcess) -> int:
    return int(Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[1])


async def test_all_are_forked_from_one_process_which_sees_nothing_of_them(processes: JobProcesses) -> None:
    first, second = await asyncio.gather(*(processes.start(first_line("wait")) for _ in range(2)))
    forker = forker_of(first)
    assert forker == forker_of(second) != os.getpid()
    assert await first.receive() and await second.receive()
    files = sorted(open_files(forker))
    await first.stop()
    third = await processes.start(first_line("wait"))
    assert forker_of(third) == forker and await third.receive()
    for child in (first, second, third):
        await child.stop()
        await child.close()
    assert sorted(open_files(forker)) == files


async def test_when_it_dies_its_processes_do_and_the_next_has_another(processes: JobProcesses) -> None:
    child = await processes.start(first_line("ignore_cancel"))
    assert await child.receive()
    os.kill(forker_of(child), signal.SIGKILL)
    async with asyncio.timeout(20):
        assert await everything(child) == []
    await child.close()
    assert child.ending == "SIGKILL"
    wait_until(lambda: not alive(child.pid))
    after = await processes.start(first_line("complete"))
    assert await everything(after)
    await after.close()
    assert after.ending == "exit code 0"


async def test_signals_for_all_processes_of_the_proxy_leave_it_alone(processes: JobProcesses) -> None:
    """As a terminal and a service manager send them: whoever stops the proxy ends it, when the jobs have ended."""
    child = await processes.start(first_line("wait"))
    assert await child.receive()
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(forker_of(child), number)
    other = await processes.start(first_line("wait"))
    assert forker_of(other) == forker_of(child) and await other.receive()
    for one in (child, other):
        assert await one.stop()
        await one.close()


async def test_it_ends_when_it_is_closed(processes: JobProcesses) -> None:
    child = await processes.start(first_line("wait"))
    forker = forker_of(child)
    assert await child.receive() and await child.stop()
    await child.close()
    await processes.close()
    assert not alive(forker)


async def test_it_is_there_before_the_first_job(processes: JobProcesses) -> None:
    await processes.open()

    async def there() -> list[int]:
        return children(os.getpid(), "stand_in.py")

    (forker,) = await wait_until_async(there, 20, "what jobs are forked from")
    child = await processes.start(first_line("wait"))
    assert forker_of(child) == forker and await child.receive()
    assert await child.stop()
    await child.close()


async def test_one_that_does_not_answer_is_replaced() -> None:
    forker = Forker(STAND_IN, {"PATH": "/usr/bin:/bin"}, answers=1.0)
    await forker.ready()
    (pid,) = children(os.getpid(), STAND_IN[-1])
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(DispatchError, match="does not answer"):
            await forker.fork()
        wait_until(lambda: not alive(pid))
        forked, streams = await forker.fork()
        assert alive(forked.pid)
        streams.close()
    finally:
        await forker.close()


async def test_a_process_is_stopped_though_what_it_was_forked_from_hangs(processes: JobProcesses) -> None:
    child = await processes.start(first_line("ignore_signals"))
    assert await child.receive()
    forker = forker_of(child)
    os.kill(forker, signal.SIGSTOP)
    try:
        async with asyncio.timeout(20):
            assert await child.stop() is False
            await child.close()
        assert child.ending == "SIGKILL" and not alive(child.pid)
    finally:
        os.kill(forker, signal.SIGKILL)


def count_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("last", [1, 2, 3])
async def test_without_files_none_is_kept(last: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those who wait for the one that is missing would have none either."""
    pipes = iter([os.pipe] * (last - 1))

    def pipe() -> tuple[int, int]:
        if make := next(pipes, None):
            return make()
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    before = count_files()
    monkeypatch.setattr(forking.os, "pipe", pipe)
    with pytest.raises(OSError, match="Too many open files"):
        await Streams.opened()
    assert count_files() == before
