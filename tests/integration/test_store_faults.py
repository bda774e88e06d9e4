"""A proxy whose job store cannot be used, or has no room: what it says, and that its list of jobs stays true.

The faults one by one: `tests/unit/engine/test_store_faults.py`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from proxy.embedded import Server, free_port
from proxy.launch import ProxyProcess
from tests.harness import disks
from tests.harness.commands import run
from tests.harness.proxies import Proxies, connect
from tests.harness.servers import Database
from tests.harness.waiting import wait_until

CALL = "SELECT pgclone_table_async(%s, 'public', 't', true, 't', %s)"


def jobs(proxy: ProxyProcess, target: Database) -> dict[int, str]:
    """The status of each job."""
    with connect(proxy, target.name) as connection:
        return dict(connection.execute("SELECT job_id, status FROM pgclone_jobs_view").fetchall())


UNUSABLE: dict[str, tuple[Callable[[Path], object], str]] = {
    "a directory": (lambda path: path.mkdir(), "Is a directory; choose a file"),
    "a pipe": (os.mkfifo, "no regular file; choose another"),
    "text": (lambda path: path.write_text("not a database " * 500), "file is not a database; restore it, or move it"),
    "truncated to nothing": (lambda path: path.touch(), "is empty, as none is made; restore it, or delete it"),
}


@pytest.mark.parametrize("what", UNUSABLE)
def test_a_store_that_cannot_be_used_is_one_line_and_exit_code_2(short_tmp: Path, server: Server, what: str) -> None:
    make, words = UNUSABLE[what]
    make(short_tmp / "store")
    refused(short_tmp, short_tmp / "store", server, words)


def test_a_disk_that_cannot_be_written_is_one_line_and_exit_code_2(short_tmp: Path, disk: Path, server: Server) -> None:
    filler = disks.fill(disk)
    refused(short_tmp, disk / "store", server, "No space left on device; free space there")
    filler.unlink()
    disks.remount(disk, "ro")
    refused(short_tmp, disk / "store", server, "choose a file on a file system that can be written")


def refused(directory: Path, store: Path, server: Server, words: str) -> None:
    done = run(
        "serve",
        directory=directory,
        DATABASE_URL=f"postgresql://127.0.0.1:{server.port}/postgres",
        PGCLONE_PROXY_SERVER_LISTEN_PORT=str(free_port()),
        PGCLONE_PROXY_SERVER_UNIX_SOCKET_DIR=str(directory),
        PGCLONE_PROXY_JOBS_STORE=str(store),
        PGCLONE_PROXY_TLS_MODE="disable",  # its certificate would have no place there either
    )
    assert done.returncode == 2 and done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert str(store) in line and words in line


def test_a_full_disk_refuses_new_jobs_spares_those_that_run_and_loses_none(
    proxies: Proxies, server: Server, disk: Path, source_database: Database, target_database: Database
) -> None:
    store = {"store": str(disk / "jobs.sqlite"), "max_running": 1, "resume_at_start": False}
    proxy = proxies.start(server.conninfo(), {"jobs": store})
    source_database.execute("CREATE TABLE public.t AS SELECT generate_series(1, 1000) AS id")
    replace = (source_database.conninfo(), '{"conflict": "replace"}')
    with connect(proxy, target_database.name) as connection:
        with source_database.connect() as holder:
            holder.execute("BEGIN; LOCK TABLE public.t IN ACCESS EXCLUSIVE MODE")
            connection.execute(CALL, replace)
            wait_until(lambda: jobs(proxy, target_database) == {1: "running"}, 30, "the job to run")
            filler = disks.fill(disk)
            with pytest.raises(psycopg.errors.DiskFull) as full:
                for _ in range(1000):  # what there is of the file and its log is used up first
                    connection.execute(CALL, replace)
            connection.execute("SELECT pgclone_cancel(job_id) FROM pgclone_jobs_view WHERE status = 'pending'")
        assert full.value.diag.message_hint == "Free space on its disk and call again; the proxy need not be restarted."
        ended = dict.fromkeys(jobs(proxy, target_database), "cancelled") | {1: "completed"}
        wait_until(lambda: jobs(proxy, target_database) == ended, 30, "the job to complete")
        assert target_database.value("SELECT count(*) FROM public.t") == 1000
        filler.unlink()
        (number,) = connection.execute(CALL, replace).fetchone() or (0,)
        assert number not in ended
        ended[number] = "completed"
        wait_until(lambda: jobs(proxy, target_database) == ended, 60, "the new job to complete")
    proxy.stop()
    proxy.start()
    assert jobs(proxy, target_database) == ended
