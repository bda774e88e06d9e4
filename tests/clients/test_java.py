"""pgjdbc through the proxy, in its ways to send queries: each check of java/*.java is a test here for each of them.

Needs a JDK (17 or newer) and the driver's jar: the one that PGJDBC_JAR names, or Debian's.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from proxy.embedded import Server
from proxy.launch import ProxyProcess
from tests.clients.programs import Report, addresses, checks, report

HERE = Path(__file__).parent / "java"
DEBIAN_JAR = "/usr/share/java/postgresql.jar"
CHECKS = checks(
    *(HERE / f"{name}.java" for name in ("Statements", "Sessions", "Reads", "Actions", "Refusals", "Stubs"))
)


class Mode(NamedTuple):
    """Connection properties, and whether the stubs are installed in the target."""

    properties: list[str]
    stubs: bool = False


MODES = {
    "default": Mode([]),  # preferQueryMode=extended, prepareThreshold=5
    "default, with stubs": Mode([], stubs=True),
    "prepared at once": Mode(["prepareThreshold=1"]),
    "binary at once": Mode(["prepareThreshold=-1"]),
    "everything cached": Mode(["preferQueryMode=extendedCacheEverything", "binaryTransfer=true"]),
    "extended for prepared": Mode(["preferQueryMode=extendedForPrepared"]),
    "simple, with stubs": Mode(["preferQueryMode=simple"], stubs=True),
}

# Start quickly: a run is short, and most of it waits.
JAVA_OPTIONS = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Dfile.encoding=UTF-8"]

pytestmark = pytest.mark.foreign


@pytest.fixture(scope="session")
def java(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command that runs the checks, compiled; a skip that says what is missing."""
    java, javac = shutil.which("java"), shutil.which("javac")
    if not java or not javac:
        pytest.skip("java or javac is not on PATH (Debian: apt install default-jdk-headless)")
    jar = os.environ.get("PGJDBC_JAR", DEBIAN_JAR)
    if not Path(jar).is_file():
        pytest.skip(f"no pgjdbc at {jar}: set PGJDBC_JAR to its jar (Debian: apt install libpostgresql-jdbc-java)")
    classes = str(tmp_path_factory.mktemp("classes"))
    command = [javac, "-Xlint:all", "-Werror", "-encoding", "UTF-8", "-d", classes, "-cp", jar]
    subprocess.run([*command, *sorted(map(str, HERE.glob("*.java")))], check=True)
    return [java, *JAVA_OPTIONS, "-cp", os.pathsep.join([classes, jar]), "Checks"]


@pytest.fixture(scope="module", params=MODES)
def said(
    request: pytest.FixtureRequest, java: list[str], server: Server, proxy: ProxyProcess, source_server: Server
) -> Iterator[Report]:
    """What all checks have said in one mode."""
    mode = MODES[request.param]
    with addresses(server, proxy, source_server, stubs=mode.stubs) as urls:
        yield report([*java, *urls, *mode.properties])


@pytest.mark.parametrize("check", CHECKS)
def test_java(said: Report, check: str) -> None:
    said.assert_ok(check)


def test_each_check_is_a_test(said: Report) -> None:
    assert list(said.checks) == CHECKS
