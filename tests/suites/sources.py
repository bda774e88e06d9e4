"""Others' sources, fetched when they are wanted, with the clients of the registries that serve them.

PostgreSQL's come from Debian (apt-get source, with lists of its own: nothing is changed on the machine), drivers' from
the source distributions that pip knows.  All of it is kept in build/suites.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
from importlib import metadata
from pathlib import Path

from tests.suites.places import NotPossibleError

KEPT = Path(__file__).parents[2] / "build" / "suites"
DEBIAN_SOURCES = Path("/etc/apt/sources.list.d/debian.sources")
SUITES_OF_DEBIAN = "Suites: bookworm trixie sid"


def postgresql(major: int) -> Path:
    """A tree of PostgreSQL's sources: the one that POSTGRES_SOURCES names, as PATH does, else Debian's."""
    named = [Path(name) for name in os.environ.get("POSTGRES_SOURCES", "").split(":") if name]
    for tree in named:
        if _major(tree) == major:
            return tree
    tree = KEPT / f"postgresql-{major}"
    if not tree.exists():
        _unpack(_from_debian(f"postgresql-{major}"), tree)
    return tree


def distribution(name: str, version: str = "") -> Path:
    """The source distribution of a Python package, of the version that is installed here unless given."""
    version = version or metadata.version(name)
    tree = KEPT / f"{name}-{version}"
    if not tree.exists():
        place = KEPT / "pip" / name
        place.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:"]
        _run([*command, "-d", str(place), f"{name}=={version}"])
        _unpack(next(place.glob("*.tar.gz")), tree)
    return tree


def environment(name: str, *packages: str) -> Path:
    """The Python of a virtual environment with these packages."""
    place = KEPT / f"venv-{name}"
    python, made = place / "bin" / "python", place / "made"
    if not made.exists() or made.read_text().split() != [*packages]:
        _run([sys.executable, "-m", "venv", str(place)])
        _run([str(python), "-m", "pip", "install", "-q", *packages])
        made.write_text(" ".join(packages))
    return python


def _major(tree: Path) -> int:
    script = tree / "configure"
    version = re.search(r"PACKAGE_VERSION='(\d+)", script.read_text()) if script.exists() else None
    return int(version[1]) if version else 0


def _from_debian(package: str) -> Path:
    place = KEPT / "apt"
    if not DEBIAN_SOURCES.exists():
        raise NotPossibleError(
            f"the sources of {package} come from Debian, and this is none; POSTGRES_SOURCES names others"
        )
    for made in ("parts", "lists/partial", "cache/archives/partial"):
        (place / made).mkdir(parents=True, exist_ok=True)
    text = DEBIAN_SOURCES.read_text().replace("Types: deb\n", "Types: deb-src\n")
    (place / "parts" / "these.sources").write_text(re.sub(r"Suites: (?!\S*security).*", SUITES_OF_DEBIAN, text))
    options = ["-o", "Dir::Etc::SourceList=/dev/null", "-o", f"Dir::Etc::SourceParts={place}/parts"]
    options += ["-o", f"Dir::State::Lists={place}/lists", "-o", f"Dir::Cache={place}/cache"]
    _run(["apt-get", *options, "-qq", "update"])
    _run(["apt-get", *options, "-qq", "source", "--download-only", "--tar-only", package], place)
    return max(place.glob(f"{package}_*.orig.tar.*"))


def _unpack(archive: Path, tree: Path) -> None:
    """The one directory of the archive becomes `tree`."""
    unpacked = tree.with_name(tree.name + ".new")
    shutil.rmtree(unpacked, ignore_errors=True)
    with tarfile.open(archive) as opened:
        opened.extractall(unpacked, filter="data")
    next(unpacked.iterdir()).rename(tree)
    unpacked.rmdir()


def _run(command: list[str], directory: Path | None = None) -> None:
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise NotPossibleError(f"{command[0]}: {said[-1] if said else done.returncode}")
