"""The demo as a user runs it: it ends well, serves on when asked to, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from proxy.demo import USUAL_PORT, has_target
from proxy.launch import clean_environment
from tests.harness.waiting import wait_until

DEMO = [sys.executable, "-u", "-m", "proxy", "demo"]
SECONDS = 120.0


class Running:
    """A demo that keeps serving; its output goes to a file."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.output = directory / "output"
        environment = clean_environment({"TMPDIR": str(directory), "COLUMNS": "200"})
        with self.output.open("wb") as out:
            self.process = subprocess.Popen(
                [*DEMO, "--keep"], stdout=out, stderr=out, env=environment, start_new_session=True
            )

    def says(self, pattern: str) -> re.Match[str]:
        """The first match in its output, once it is there."""

        def look() -> re.Match[str] | None:
            found = re.search(pattern, self.output.read_text(errors="replace"))
            assert found or self.process.poll() is None, self.output.read_text(errors="replace")
            return found

        found = wait_until(look, SECONDS, pattern)
        assert found is not None
        return found

    def interrupt(self, how: signal.Signals = signal.SIGINT) -> int:
        """Ctrl-C, or another signal; its exit code."""
        self.process.send_signal(how)
        return self.process.wait(SECONDS)

    def leftovers(self) -> list[Path]:
        """Files and sockets that it should have removed."""
        return [path for path in self.directory.rglob("*") if path != self.output]


@contextlib.contextmanager
def running_demo(directory: Path) -> Iterator[Running]:
    """A demo that is ended at the end."""
    directory.chmod(0o711)  # the servers' account passes through
    demo = Running(directory)
    try:
        yield demo
    finally:
        demo.process.terminate()
        demo.process.wait(SECONDS)


@pytest.fixture
def running(short_tmp: Path) -> Iterator[Running]:
    with running_demo(short_tmp) as demo:
        yield demo


def test_it_agrees_then_serves_an_empty_database_until_ctrl_c(running: Running) -> None:
    running.says("Both sides agree")
    conninfo = running.says(r'"(host=127.0.0.1 port=\d+ dbname=playground user=postgres)"')[1]
    call = running.says(r"in it:\s+(SELECT pgclone_schema_async.*)")[1]
    with psycopg.connect(conninfo, autocommit=True) as conn:
        row = conn.execute(call.encode()).fetchone()
        assert row
        ended = "SELECT status FROM pgclone_jobs_view WHERE job_id = %s AND status NOT IN ('pending', 'running')"
        assert wait_until(lambda: conn.execute(ended, row).fetchone(), SECONDS) == ("completed",)
        assert conn.execute("SELECT count(*) FROM shop.orders").fetchone() == (120000,)
    assert running.interrupt() == 0
    assert not running.leftovers()


# SIGHUP: the window in which it ran was closed.
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGHUP], ids=["ctrl-c", "terminal closed"])
def test_what_interrupts_the_clone_leaves_nothing_behind(running: Running, how: signal.Signals) -> None:
    running.says(r"Job \d+:")
    assert running.interrupt(how) == 130
    assert not running.leftovers()


def test_a_usual_port_that_is_taken_is_left_to_whoever_has_it(short_tmp: Path) -> None:
    with contextlib.ExitStack() as held:
        with contextlib.suppress(OSError):  # somebody else may have it: as good
            held.enter_context(socket.create_server(("127.0.0.1", USUAL_PORT)))
        with running_demo(short_tmp) as running:
            assert running.says(r"listens on port (\d+);")[1] != str(USUAL_PORT)


@pytest.mark.parametrize(
    ("settings", "environment", "expected"),
    [
        ("", {}, False),
        ("[server]\ntarget = ''\n", {}, False),
        ("[server]\ntarget = 'host=db'\n", {}, True),
        ("", {"DATABASE_URL": "postgresql://db"}, True),
        ("", {"PGCLONE_PROXY_SERVER_TARGET": "host=db"}, True),
        ("[server]\nno_such_setting = 1\n", {}, True),  # `serve` is to say so
    ],
)
def test_make_run_serves_a_target_if_one_is_configured(
    settings: str, environment: dict[str, str], expected: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DATABASE_URL", "PGCLONE_PROXY_SERVER_TARGET"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    path = tmp_path / "proxy.toml"
    path.write_text(settings)
    assert has_target(str(path)) is expected
