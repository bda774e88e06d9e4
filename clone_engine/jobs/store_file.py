"""The file of the job store: found fit or made, and taken for this process alone.

What is in it is `sqlite_store.py`'s business.  Each refusal is one line that says what to do.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

from clone_engine.records.job_store import StoreError

NETWORK = frozenset(
    {
        "afs",
        "ceph",
        "cifs",
        "fuse.glusterfs",
        "fuse.sshfs",
        "glusterfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "smb3",
        "smbfs",
    }
)
"""Types of file systems on which neither SQLite's write-ahead log nor the lock can be relied on."""

WRITABLE = "let the proxy's account write it, its -wal and -shm file and their directory"
RESTORE = "restore it, or move it away to begin a new one"
OF_SYSTEM = {
    errno.EACCES: "let the proxy's account write there",
    errno.EPERM: "let the proxy's account write there",
    errno.EROFS: "choose a file on a file system that can be written",
    errno.ENOSPC: "free space there",
    errno.EDQUOT: "free space there",
    errno.EISDIR: "choose a file",
    errno.EEXIST: "choose a file in a directory",
    errno.ENOTDIR: "choose a file in a directory",
}
OF_SQLITE = {
    sqlite3.SQLITE_BUSY: "another program has it open for writing",
    sqlite3.SQLITE_CANTOPEN: WRITABLE,
    sqlite3.SQLITE_CORRUPT: RESTORE,
    sqlite3.SQLITE_FULL: "free space there",
    sqlite3.SQLITE_NOTADB: RESTORE,
    sqlite3.SQLITE_PERM: WRITABLE,
    sqlite3.SQLITE_READONLY: WRITABLE,
}
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def failure(path: Path, error: OSError | sqlite3.Error) -> StoreError:
    """What the person who runs the proxy is told of an error in working with the store."""
    if isinstance(error, OSError):
        text = f"{error.filename or path}: {error.strerror}"
        advice, full = OF_SYSTEM.get(error.errno or 0), error.errno in FULL
    else:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the rest tells apart the system's calls
        text = f"{path}: {error}"
        advice, full = OF_SQLITE.get(code), code == sqlite3.SQLITE_FULL
    return StoreError(f"job store {text}{f'; {advice}' if advice else ''}", "53100" if full else "58030")


def take(path: Path) -> int:
    """The descriptor that holds the lock of `path`; closing it, or the end of the process, gives the lock up.

    StoreError if another process has it.
    """
    descriptor = os.open(f"{path}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
    except BlockingIOError:
        owner = os.read(descriptor, 20).decode("ascii", "replace").strip()
        os.close(descriptor)
        raise StoreError(f"job store {path} is in use by another process{f' ({owner})' if owner else ''}") from None
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def find(path: Path, schema: str) -> None:
    """See to it that `path` is a file that can be opened: a new one is made with the statements of `schema`.

    StoreError if it is one that would pass for an empty store, or is on another host.
    """
    if network := _network(path.parent):
        raise StoreError(f"job store {path} is on a network file system ({network}); choose a file on a local disk")
    try:
        status = path.stat()
    except FileNotFoundError:
        _make(path, schema)
        return
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(status.st_mode):
        raise StoreError(f"job store {path} is no regular file; choose another")
    if not status.st_size:  # SQLite would take it for a new one: no jobs, and their numbers given again
        raise StoreError(f"job store {path} is empty, as none is made; restore it, or delete it to begin a new one")
    os.close(os.open(path, os.O_RDWR | os.O_CLOEXEC))  # else SQLite would open it for reading only


def _make(path: Path, schema: str) -> None:
    """A new file, readable by its owner only, that is there whole or not at all."""
    log = Path(f"{path}-wal")
    if log.exists():  # its pages would become the new file's
        raise StoreError(f"job store {path} is missing, but {log} is there; restore the one or delete the other")
    new = Path(f"{path}.new")
    new.unlink(missing_ok=True)
    os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
    with closing(sqlite3.connect(new, isolation_level=None)) as connection:
        connection.executescript(f"BEGIN; {schema} COMMIT;")
    new.rename(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _network(directory: Path) -> str:
    """The type of the file system of `directory` if it is a network's; '' if not, or if the system does not tell."""
    try:
        mounts = Path("/proc/self/mountinfo").read_text(errors="replace")
    except OSError:
        return ""
    found = mounted_type(mounts, directory.stat().st_dev)
    return found if found in NETWORK else ""


def mounted_type(mounts: str, device: int) -> str:
    """The type of the file system with that number, in the lines of mountinfo; '' if it is not there."""
    number = f"{os.major(device)}:{os.minor(device)}"
    for line in mounts.splitlines():
        fields = line.split()  # id, parent, major:minor, root, …, optional ones, "-", type
        if fields[2] == number:
            return fields[fields.index("-") + 1]
    return ""
