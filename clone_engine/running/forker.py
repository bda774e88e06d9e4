"""The process that job processes are forked from, so that a job that begins has no interpreter to start.

`python -m clone_engine.running` has imported all that a job needs, and waits.  It knows nothing of jobs: each process
gets three files of its own and reads from these what it is to do (`job_process.py`).  On standard input, a socket, it
gets one byte for each process that is wanted, with its files (SCM_RIGHTS); what has become of it goes back in lines,
which `jobs/forking.py` reads.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NoReturn

from clone_engine.running.crew import die_with_parent, place

FILES: Final = 3
"""Standard input, output and error of a job process."""


def serve(job: Callable[[], int]) -> None:
    """Fork a process that runs `job` with the files of its own, each time that it is asked for.

    Says 'forked PID' or 'failed ERRNO' for each, in order, and later 'ended PID CODE', with the negative number of the
    signal that has killed it.  Returns when nobody asks any more.
    """
    for ignored in (signal.SIGTERM, signal.SIGINT):  # those who stop us close the socket
        signal.signal(ignored, signal.SIG_IGN)
    control = socket.socket(fileno=0)
    woken, wakes = os.pipe()
    for pipe in (woken, wakes):
        os.set_blocking(pipe, False)
    signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda _signal, _frame: None)
    gc.freeze()  # else the collector would write to each page that the children share
    with suppress(BrokenPipeError, ConnectionResetError):
        while True:
            ready, _, _ = select.select([control.fileno(), woken], [], [])
            if woken in ready:
                os.read(woken, 1 << 10)
                _bury(control)
            if control.fileno() in ready:
                asked, files, _, _ = socket.recv_fds(control, 1, FILES)
                if not asked:
                    return
                _fork(control, files, job)


def _fork(control: socket.socket, files: list[int], job: Callable[[], int]) -> None:
    parent = os.getpid()
    try:
        pid = os.fork()
    except OSError as error:
        said = f"failed {error.errno}\n"
    else:
        if not pid:
            control.detach()  # its number is that of the job's standard input
            _be_job(parent, files, job)
        said = f"forked {pid}\n"
    for file in files:
        os.close(file)
    control.sendall(said.encode())


def _be_job(parent: int, files: list[int], job: Callable[[], int]) -> NoReturn:
    """Never returns: what is around it is the parent's."""
    status = 1
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for taken in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
            signal.signal(taken, signal.SIG_DFL)
        for number, file in enumerate(files):
            os.dup2(file, number)
        os.closerange(FILES, os.sysconf("SC_OPEN_MAX"))
        die_with_parent(parent)
        status = job()
    except SystemExit as left:
        status = left.code if isinstance(left.code, int) else int(left.code is not None)
    except BaseException as error:  # the edge of the process
        with suppress(OSError):
            os.write(2, f"job process failed: {type(error).__name__} at {place(error)}\n".encode())
    finally:
        os._exit(status)


def _bury(control: socket.socket) -> None:
    """Say of each process that has ended how, when those of its group are gone too."""
    with suppress(ChildProcessError):
        while found := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            # Before its number can be another's.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(found.si_pid, signal.SIGKILL)
            _, status = os.waitpid(found.si_pid, 0)
            control.sendall(f"ended {found.si_pid} {os.waitstatus_to_exitcode(status)}\n".encode())
