"""A job process that clones nothing: it speaks the channel, and the name of the schema says how it behaves.

For tests of the manager's side.  Run as a script, with the repository's root in PYTHONPATH.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import NoReturn

from clone_engine.records.channel import (
    Advanced,
    Cancel,
    Done,
    Ended,
    FromJob,
    Reported,
    Start,
    decode_to_job,
    encode,
)
from clone_engine.records.jobs import Outcome, Progress
from clone_engine.running.forker import serve


def say(message: FromJob) -> None:
    sys.stdout.buffer.write(encode(message))
    sys.stdout.buffer.flush()


def until_cancelled() -> None:
    for line in sys.stdin.buffer:
        if isinstance(decode_to_job(line), Cancel):
            return


def sleep_for_ever() -> NoReturn:
    while True:
        time.sleep(60)


def copy_two_tables(start: Start) -> None:
    for number, table in enumerate(("orders", "items"), start=1):
        key = f"table {start.request.schema_name}.{table}"
        if key in start.done:
            continue
        pct = number * 50.0
        say(Advanced(Progress("copying data", table, 2, number, number * 10, number * 100, pct)))
        say(Done(key))
        say(Reported(Outcome(f"table {table}", "done")))


def complete(start: Start) -> None:
    copy_two_tables(start)
    say(Ended("completed"))


def wait(start: Start) -> None:
    """One table done, then nothing more until it is cancelled."""
    key = f"table {start.request.schema_name}.orders"
    if key not in start.done:
        say(Done(key))
    say(Advanced(Progress("copying data", "items", 2, 1, 10, 100, 50.0)))
    until_cancelled()
    say(Ended("cancelled"))


def chatter(start: Start) -> None:
    """Much progress in many small writes."""
    for number in range(200):
        say(Advanced(Progress("copying data", "orders", 1, 0, number, number, number / 4)))
        time.sleep(0.001)
    say(Ended("completed"))


def flood(start: Start) -> None:
    """A line without an end."""
    while True:
        sys.stdout.write("x" * 1_000_000)


def complain_much(start: Start) -> None:
    """The same on stderr, and then all is well."""
    for _ in range(6):
        sys.stderr.write("x" * 1_000_000)
    say(Ended("completed"))


def fail(start: Start) -> None:
    say(Advanced(Progress("copying data", "orders", 2, 0, 5, 50, 100.0)))
    say(Ended("failed", "23505", "duplicate key value violates unique constraint"))


def die(start: Start) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def leave(start: Start) -> None:
    sys.exit(3)


def die_with_orphan(start: Start) -> None:
    """Its copier still holds its stdout and stderr."""
    orphan = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    say(Done(f"pid {orphan.pid}"))
    os.kill(os.getpid(), signal.SIGKILL)


def talk_nonsense(start: Start) -> None:
    sys.stdout.write(f"nonsense {start.source.parameters}\n")
    sys.stdout.flush()
    until_cancelled()


def ignore_cancel(start: Start) -> None:
    say(Advanced(Progress("copying data", "orders", 2, 0, 5, 50, 10.0)))
    sleep_for_ever()


def ignore_signals(start: Start) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    ignore_cancel(start)


def hang_after_end(start: Start) -> None:
    say(Ended("completed"))
    sleep_for_ever()


def stop_by_itself(start: Start) -> None:
    say(Ended("cancelled"))


def show_environment(start: Start) -> None:
    """Its argv, its environment and its number of copiers as outcomes; its whole Start line to stderr."""
    say(Reported(Outcome("argv", "done", message=" ".join(sys.argv))))
    say(Reported(Outcome("environ", "done", message="\n".join(f"{k}={v}" for k, v in os.environ.items()))))
    say(Reported(Outcome("parallel", "done", message=str(start.parallel))))
    sys.stderr.write(f"{start.source.parameters} {start.target.parameters}\n")
    say(Ended("completed"))


BEHAVIOURS: dict[str, Callable[[Start], None]] = {
    f.__name__: f
    for f in (
        complete,
        wait,
        chatter,
        flood,
        complain_much,
        fail,
        die,
        leave,
        die_with_orphan,
        talk_nonsense,
        ignore_cancel,
        ignore_signals,
        hang_after_end,
        stop_by_itself,
        show_environment,
    )
}


def main() -> int:
    first = decode_to_job(sys.stdin.buffer.readline())
    assert isinstance(first, Start)
    BEHAVIOURS[first.request.schema_name](first)
    return 0


if __name__ == "__main__":
    serve(main)
