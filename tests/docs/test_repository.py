"""What must be in no file, and the lock file: exact, complete, and free of any index's address."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.docs.repository import ROOT, files, text

# Written apart, or this file would be the first to be found.
REGISTRIES = re.compile("|".join(("py" + r"pi\.org", "python" + "hosted", "npm" + r"js\.", r"deb\." + "debian")))
MACHINE_PATHS = re.compile(r"(?<![\w./~-])/(?:ro" + "ot|wo" + r"rk)/\w")


def _locked() -> dict[str, Version]:
    lines = [line for line in text("requirements.lock").splitlines() if line and not line.startswith("#")]
    pairs = [re.fullmatch(r"([A-Za-z0-9._-]+)==([0-9][0-9a-z.]*)", line) for line in lines]
    assert all(pairs), "every line is name==version"
    return {canonicalize_name(p[1]): Version(p[2]) for p in pairs if p}


def _wanted() -> list[Requirement]:
    pyproject = tomllib.loads(text("pyproject.toml"))
    project = pyproject["project"]
    extras = [line for extra in project["optional-dependencies"].values() for line in extra]
    return [Requirement(line) for line in (*project["dependencies"], *extras, *pyproject["build-system"]["requires"])]


def test_no_file_names_a_package_registry_or_a_path_of_one_machine() -> None:
    for path in files():
        content = path.read_text(encoding="utf-8", errors="replace")
        for pattern in (REGISTRIES, MACHINE_PATHS):
            found = pattern.search(content)
            assert found is None, f"{path.relative_to(ROOT)}: {found}"


@pytest.mark.parametrize("requirement", _wanted(), ids=str)
def test_the_lock_satisfies_the_project(requirement: Requirement) -> None:
    locked = _locked()
    assert requirement.specifier.contains(locked[canonicalize_name(requirement.name)])
    if requirement.name == "psycopg":
        assert locked["psycopg-binary"] == locked["psycopg"]


def test_the_lock_has_what_the_locked_packages_need() -> None:
    locked = _locked()
    for name in locked:
        for line in metadata.distribution(name).requires or ():
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                assert canonicalize_name(needed.name) in locked, f"{name} needs {needed.name}"
