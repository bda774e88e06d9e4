"""The PostgreSQL programs on this machine, and as whom and where servers of ours can run.

For the demo and the tests.  PostgreSQL refuses to run as root, so a root caller's servers run as an unprivileged
account, which must be able to enter the directories of programs and data.  Starting servers is embedded.py.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from clone_engine.records.errors import PgError
from clone_engine.servers.programs import INSTALL_HINT, embedded_programs

DEBIAN = Path("/usr/lib/postgresql")
BIN_DIRS = "POSTGRES_BIN_DIRS"
"""The environment variable that names more directories of programs, as PATH does.  What it names goes before what is
found.  (A name that begins with PG would be taken away from our processes, as what libpq reads is.)"""


class Installation(NamedTuple):
    """One set of PostgreSQL programs; perhaps without those for clients."""

    major: int
    embedded: bool
    """Whether it comes from the Python wheel."""
    bin_dir: Path
    movable: bool = False
    """Whether the directory above `bin_dir` holds nothing else, so that it can be copied."""

    def program(self, name: str) -> str:
        """The path of one of its programs."""
        return str(self.bin_dir / name)


class Account(NamedTuple):
    """Whom servers run as when the caller is root."""

    uid: int
    gid: int


def installations() -> tuple[Installation, ...]:
    """Every PostgreSQL with a server on this machine, oldest first; of one version the embedded one is last."""
    found: dict[tuple[int, bool], Installation] = {}
    for place in _places():
        if major := _major_version(place.bin_dir):
            found.setdefault((major, place.embedded), place._replace(major=major))
    return tuple(sorted(found.values()))


def _places() -> Iterator[Installation]:
    """Where programs may be, the more particular places first; which versions they are is not known yet."""
    for directory in embedded_programs():
        yield Installation(0, True, directory, movable=True)
    for name in filter(None, os.environ.get(BIN_DIRS, "").split(os.pathsep)):
        yield Installation(0, False, Path(name).resolve(), movable=True)
    for directory in DEBIAN.glob("*/bin"):
        yield Installation(0, False, directory)
    if on_path := shutil.which("postgres"):
        yield Installation(0, False, Path(on_path).resolve().parent)


def with_program(name: str, preferred: Installation) -> Installation:
    """`preferred` if it has this program, else the newest installation that has.  PgError 58P01 if there is none.

    For pg_dump and psql, of which one that is newer than the server will do."""
    for candidate in (preferred, *reversed(installations())):
        if Path(candidate.program(name)).exists():
            return candidate
    raise PgError("58P01", f"pgclone: no PostgreSQL here has {name}", hint=INSTALL_HINT)


def newest() -> Installation:
    """The newest installation, the embedded one where versions are equal.  PgError 58P01 if there is none."""
    found = installations()
    if not found:
        raise PgError(
            "58P01",
            "pgclone: no PostgreSQL server is installed here",
            hint="Install the embedded one with: pip install 'pgclone-proxy[embedded]'",
        )
    return found[-1]


def server_account() -> Account | None:
    """The account for servers if we are root, else None: they run as we do.  PgError 58P01 if there is none."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(entry.pw_uid, entry.pw_gid)
    raise PgError(
        "58P01",
        "pgclone: PostgreSQL does not run as root, and there is no account postgres or nobody",
        hint="Run as an ordinary user.",
    )


@contextlib.contextmanager
def private_directory() -> Iterator[Path]:
    """A new directory that only we and the servers' account can enter; removed with all it holds at the end."""
    account = server_account()
    places = [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")]
    base = next((p for p in places if _enterable(p, account)), places[0])
    directory = Path(tempfile.mkdtemp(prefix="pgclone-", dir=base))
    try:
        if account:
            os.chown(directory, *account)
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def reachable(installation: Installation, directory: Path) -> Installation:
    """`installation`, or a copy of it in `directory` if the servers' account cannot go where it lies.

    The wheel is often below a home directory that is closed to others.  Copying once serves many servers."""
    if not installation.movable or _enterable(installation.bin_dir, server_account()):
        return installation
    package = installation.bin_dir.parents[1]
    copy = directory / "programs" / package.name / installation.bin_dir.parent.name
    if not copy.exists():
        shutil.copytree(installation.bin_dir.parent, copy, ignore=shutil.ignore_patterns("include", "*.a"))
    libraries = package.with_name(package.name + ".libs")  # where the programs look, seen from bin: ../../../
    if libraries.exists():
        shutil.copytree(libraries, copy.parents[1] / libraries.name, dirs_exist_ok=True)
    return installation._replace(bin_dir=copy / "bin")


def _major_version(bin_dir: Path) -> int:
    """The major version of the server in `bin_dir`; 0 if there is none that runs, or no initdb beside it."""
    if not (bin_dir / "initdb").exists() or not (bin_dir / "postgres").exists():
        return 0
    with contextlib.suppress(OSError):
        output = subprocess.run([bin_dir / "postgres", "--version"], capture_output=True, text=True, check=False).stdout
        found = re.search(r"\) (\d+)", output)
        return int(found[1]) if found else 0
    return 0


def _enterable(path: Path, account: Account | None) -> bool:
    """Whether `account` (None: we) can go through `path` and all above it, as far as mode bits tell."""
    if account is None:
        return True
    above = [p.stat() for p in (path.resolve(), *path.resolve().parents)]
    return all(s.st_mode & 0o001 or (s.st_uid == account.uid and s.st_mode & 0o100) for s in above)
