"""How pg_dump is run: each a process beside what else is done, of which nothing is left."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from clone_engine.records.errors import PgError
from clone_engine.records.request import Conninfo
from clone_engine.servers import dump
from clone_engine.servers.dump import Dumps, of_schema, of_tables
from clone_engine.servers.programs import PgDump
from tests.harness.waiting import wait_until

ONE, TWO = of_schema("one"), of_schema("two")


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where temporary directories are made."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return tmp_path


def dumps(here: Path, script: str) -> Dumps:
    """By a pg_dump that does this in `here`, whatever is asked of it."""
    program = here / "pg_dump"
    program.write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\ncd {here}\n{script}\n")
    program.chmod(0o755)
    return Dumps(PgDump(18, 0, str(program)), Conninfo({"password": "secret"}), "")


def nothing_is_left(here: Path) -> bool:
    return not list((here / "temporary").iterdir())


def test_what_is_wanted_is_begun_at_once_and_once(here: Path) -> None:
    with dumps(here, 'echo "$@" | tee -a begun') as wanted:
        wanted.want(ONE, ())
        wait_until((here / "begun").exists, 20, "the dump to be begun")
        wanted.want(ONE, of_tables([]))
        assert '-n "one"' in wanted.text(ONE)
        assert wanted.text(()) == ""
    assert len((here / "begun").read_text().splitlines()) == 1
    assert nothing_is_left(here)


def test_what_is_not_wanted_any_more_is_ended(here: Path) -> None:
    script = "trap 'touch ended; exit 1' TERM; touch begun; while :; do sleep 0.01; done"
    with dumps(here, f'case "$*" in *one*) {script};; *) echo done;; esac') as wanted:
        wanted.want(ONE)
        wait_until((here / "begun").exists, 20, "the dump to be begun")
        wanted.want(TWO)
        assert wanted.text(TWO) == "done\n"
        wait_until((here / "ended").exists, 20, "the other to end")
    assert nothing_is_left(here)


@pytest.mark.parametrize("trap", ["touch ended; exit 1", ""])
def test_what_goes_wrong_meanwhile_ends_them_all(here: Path, trap: str) -> None:
    """By force in the end, as after the second trap, which ignores the signal."""
    script = f"trap '{trap}' TERM; echo >> begun; while :; do sleep 0.01; done"
    with pytest.raises(PgError, match="elsewhere"), dumps(here, script) as wanted:
        wanted.want(ONE, TWO)
        began = here / "begun"
        wait_until(lambda: began.exists() and len(began.read_text()) == 2, 20, "the dumps to be begun")
        raise PgError("42P01", "elsewhere")
    assert (here / "ended").exists() == bool(trap)
    assert nothing_is_left(here)


def test_those_that_are_too_many_at_once_come_one_behind_the_other(here: Path) -> None:
    refusal = "touch refused; echo 'FATAL:  too many connections for role \"r\"' >&2; exit 1"
    waiting = "while [ ! -e refused ]; do sleep 0.01; done"
    with dumps(here, f'mkdir slot || {{ {refusal}; }}; {waiting}; rmdir slot; echo "$@"') as wanted:
        wanted.want(ONE, TWO)
        assert '-n "one"' in wanted.text(ONE)
        assert '-n "two"' in wanted.text(TWO)


def test_the_only_one_is_not_tried_again(here: Path) -> None:
    with dumps(here, "echo >> begun; echo 'FATAL:  too many connections, secret' >&2; exit 1") as wanted:
        wanted.want(ONE)
        with pytest.raises(PgError, match=r"too many connections, \*\*\*") as refused:
            wanted.text(ONE)
    assert refused.value.sqlstate == "53300"
    assert (here / "begun").read_text() == "\n"


def test_a_password_that_must_be_asked_for_is_asked_for_by_whichever_host_answers() -> None:
    several = Conninfo({"host": "a,b", "password": "p"}, password_demanded=True)
    new, old = PgDump(16, 0, "pg_dump"), PgDump(15, 0, "pg_dump")
    assert dump._asked(new, several) == {"require_auth": "password,md5,scram-sha-256"}
    assert dump._asked(new, Conninfo(several.parameters)) == {}
    assert dump._asked(old, Conninfo({"host": "a"}, password_demanded=True)) == {}
    with pytest.raises(PgError, match="several hosts"):
        dump._asked(old, several)
