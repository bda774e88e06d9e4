"""node-postgres and postgres.js through the proxy: each check of node/*.mjs is a test here.

Needs Node.js and the packages of node/package.json, which `npm ci` puts beside it where npm can get them.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.embedded import Server
from proxy.launch import ProxyProcess
from tests.clients.programs import Report, addresses, checks, report

HERE = Path(__file__).parent / "node"
STUBS = {"node_postgres": False, "postgres_js": True}
"""The programs, and whether the stubs are installed in the target."""
CHECKS = [(program, check) for program in STUBS for check in checks(HERE / f"{program}.mjs")]

pytestmark = pytest.mark.foreign


@pytest.fixture(scope="session")
def node() -> str:
    """Node.js, with the packages installed; a skip that says what is missing."""
    found, npm = shutil.which("node"), shutil.which("npm")
    if not found or not npm:
        pytest.skip("node or npm is not on PATH (Debian: apt install nodejs npm)")
    lock, installed = HERE / "package-lock.json", HERE / "node_modules" / ".package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        done = subprocess.run([npm, "ci"], cwd=HERE, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"npm ci in tests/clients/node failed: {done.stderr.strip()[-200:]}")
    return found


@pytest.fixture(scope="module")
def reports(node: str, server: Server, proxy: ProxyProcess, source_server: Server) -> Iterator[dict[str, Report]]:
    """What both programs have said."""
    found = {}
    for program, stubs in STUBS.items():
        with addresses(server, proxy, source_server, stubs=stubs) as urls:
            found[program] = report([node, HERE / f"{program}.mjs", *urls])
    yield found


@pytest.mark.parametrize(("program", "check"), CHECKS)
def test_node(reports: dict[str, Report], program: str, check: str) -> None:
    reports[program].assert_ok(check)


@pytest.mark.parametrize("program", STUBS)
def test_each_check_is_a_test(reports: dict[str, Report], program: str) -> None:
    assert list(reports[program].checks) == [check for name, check in CHECKS if name == program]
