"""The runner of others' suites: what is compared, and that nothing is left of it.  What suites are is tests/suites."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from proxy.installations import installations, private_directory
from tests.docs.repository import ROOT
from tests.harness.waiting import wait_until
from tests.suites.comparing import Compared, compare
from tests.suites.places import NotPossibleError, Outcome, Outcomes, Place

PASSED, FAILED = Outcome(True, "passed"), Outcome(False, "failure", "failure: no such thing")


def test_what_differs_is_named_and_what_does_not_pass_says_why() -> None:
    direct = {"same": PASSED, "fails": FAILED, "other": PASSED, "varies": PASSED, "gone": PASSED}
    through = {"same": PASSED, "fails": FAILED, "other": FAILED, "varies": FAILED}
    compared = Compared(15, direct, through, {"varies": "it is a race"})
    assert compared.differing == ["gone", "other"]
    assert compared.row == "15 | 5 | 4 | 1 | 2, and 1 that vary directly too"
    lines = list(compared.lines())
    assert {"--- other: directly", "+failure: no such thing", "(it is a race)", "1 × failure: no such thing"} <= {
        *lines
    }
    assert "--- same: directly" not in lines


def test_the_text_of_an_outcome_is_compared_and_its_reason_is_not() -> None:
    direct = {"a": Outcome(True, "one line"), "b": Outcome(False, "x", "port 1")}
    through = {"a": Outcome(True, "another"), "b": Outcome(False, "x", "port 2")}
    assert Compared(15, direct, through, {}).differing == ["a"]


def test_a_suite_runs_both_ways_on_the_newest_server_that_has_what_it_needs() -> None:
    ways: list[bool] = []

    def suite(place: Place) -> Outcomes:
        if place.server.installation != oldest:
            raise NotPossibleError(f"not with {place.server.installation.major}")
        ways.append(place.port == place.server.port)
        return {"test": PASSED}

    newest, oldest = installations()[-1], installations()[0]
    compared = compare(suite, [newest, oldest], {})
    assert (compared.major, ways, compared.differing) == (oldest.major, [True, False], [])
    if newest != oldest:
        with pytest.raises(NotPossibleError, match=f"not with {newest.major}"):
            compare(suite, [newest], {})


def test_a_run_that_is_terminated_stops_its_servers() -> None:
    """They went on for ever."""
    command = [sys.executable, "-m", "tests.suites", "pgbench"]
    with private_directory() as place:
        process = subprocess.Popen(command, cwd=ROOT, env={"TMPDIR": str(place)}, stdout=subprocess.PIPE)
        try:
            wait_until(lambda: [*place.glob("*/server/.s.PGSQL.*")], 60, "a server")
        finally:
            process.terminate()
            process.communicate()
        assert process.returncode == 128 + signal.SIGTERM
        assert not [*place.iterdir()]  # removed once the server has ended
