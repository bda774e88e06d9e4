"""What `pip install .` installs: all modules, all SQL files, a command that runs; and what the image is made of."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from proxy.config import load
from proxy.embedded import Server
from proxy.installations import newest
from proxy.wiring import makers
from tests.docs.repository import ROOT, text
from tests.harness.proxies import Proxies

SOURCES = ("proxy", "clone_engine", "pyproject.toml", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the built and installed package, without its dependencies: those are installed here."""
    tree = tmp_path_factory.mktemp("tree")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, tree / name)
    place = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command = [*pip, "--no-build-isolation", f"--target={place}", str(tree)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return place


def test_every_module_and_sql_file_is_installed(installed: Path) -> None:
    for package in ("proxy", "clone_engine"):
        for path in (ROOT / package).rglob("*"):
            if path.suffix in {".py", ".sql"}:
                assert (installed / path.relative_to(ROOT)).exists(), path


def test_the_command_runs_as_installed(installed: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    command = [sys.executable, str(installed / "bin" / "pgclone-proxy")]
    for arguments, expected in ((["--version"], "pgclone-proxy"), (["--help"], "serve")):
        done = subprocess.run(
            [*command, *arguments], capture_output=True, text=True, check=False, cwd=tmp_path, env=environment
        )
        assert done.returncode == 0, done.stderr
        assert expected in done.stdout


@pytest.mark.parametrize("there_already", [False, True], ids=["nothing yet", "an environment of an old Python"])
def test_make_says_in_one_line_that_a_python_is_too_old(tmp_path: Path, there_already: bool) -> None:
    """It went on with pip's complaints, and kept the environment that it had made."""
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    old = tmp_path / "old"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    if there_already:
        (tmp_path / ".venv/bin").mkdir(parents=True)
        shutil.copy(old, tmp_path / ".venv/bin/python")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}  # by `make test`
    done = subprocess.run(
        ["make", f"PYTHON={old}", "demo"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    said, by_make = done.stderr.splitlines()
    assert str(old) in said
    assert by_make.startswith("make")
    assert not done.stdout


def test_what_the_image_copies_exists_and_is_let_through() -> None:
    let_through = set(re.findall(r"^!(\S+)$", text(".dockerignore"), re.MULTILINE))
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", text("Dockerfile"), re.MULTILINE)
    names = {name for line in copied for name in line.split()}
    assert names == let_through
    assert all((ROOT / name).exists() for name in names)


def test_the_settings_of_the_containers_can_be_used_and_what_is_to_last_is_in_their_volume() -> None:
    image = dict(re.findall(r"^    (PGCLONE_PROXY_\w+)=(\S*)", text("Dockerfile"), re.MULTILINE))
    composed = dict(re.findall(r"^ +(PGCLONE_PROXY_\w+): (.*)$", text("compose.yaml"), re.MULTILINE))
    settings = load(ROOT / "conf/pgclone-proxy.toml", {**image, **composed}, makers())
    assert settings.server.target == "host=target port=5432"
    assert (settings.auth.mode, settings.tls.mode) == ("password", "require")
    store = Path(settings.jobs.store)
    # Where nothing else is said, the key and the certificate are beside it.
    assert (settings.jobs.key_file, settings.tls.cert_file) == ("", "")
    assert f"\nVOLUME {store.parent}\n" in text("Dockerfile")
    assert f" jobs:{store.parent}\n" in text("compose.yaml")


def test_what_compose_takes_from_the_environment_is_in_its_example() -> None:
    taken = re.findall(r"^    environment: (\w+)$", text("compose.yaml"), re.MULTILINE)
    assert taken == re.findall(r"^(\w+)=", text("conf/compose.env.example"), re.MULTILINE)


@pytest.mark.parametrize("tls", ["disable", "require"])
def test_the_health_check_of_the_image_is_content_with_a_running_proxy_only(
    server: Server, proxies: Proxies, tls: str
) -> None:
    check = re.search(r"(?s:HEALTHCHECK.*?) CMD ([^\n]+)", text("Dockerfile"))
    assert check is not None
    program = newest().program("pg_isready")
    proxy = proxies.start(server.conninfo(), {"tls": {"mode": tls}})
    for port, expected in ((proxy.port, 0), (1, 2)):
        words = check[1].replace("--port=6432", f"--port={port}").split()
        assert words[0] == "pg_isready"
        assert subprocess.run([program, *words[1:]], check=False).returncode == expected
