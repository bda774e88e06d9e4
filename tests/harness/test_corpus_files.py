"""Files of the corpus format: what is read from them, which are refused, what the command does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from proxy.embedded import SUPERUSER, Server, free_port
from tests.harness.corpus.cases import FormatError, groups, read
from tests.harness.corpus.talk import LostError, Talk

GOOD = """--# a comment
--@ A1 | both | rows=1 val=a_S_b | a bar | in the note

SELECT 'a b'
--@ G.1 | ext ["x | y", null, 7] | error=22012 jobs=+1 since=16 | two lines
SELECT
  $1
--@A2 | simple | |
SELECT 2
--@ G.2 | simple | tag=a|b
SELECT 3

--# ==== the end
"""
HEADER = "a header has ID | simple or ext or both [PARAMS] | EXPECT | NOTE"
BAD = {
    "SELECT 1\n--@ A | both | rows=1 | x": "1: text before the first header",
    "--@ A | both | rows=1 | x\nSELECT 1\n--@ B": f"3: {HEADER}",
    "--@ A | neither | rows=1 | x": f"1: {HEADER}",
    "\n--@ | both | rows=1 | x": f"2: {HEADER}",
    "--@ A | both": f"1: {HEADER}",
    "--@ A | both | lines=1 | x": "1: not an expectation: lines=1",
    "--@ A | both | rows | x": "1: not an expectation: rows",
    "--@ A | both | rows=x | x": "1: invalid literal for int() with base 10: 'x'",
    "--@ A | ext [1 | rows=1 | x": "1: parameters are a JSON list: Expecting ',' delimiter: line 1 column 4 (char 3)",
    "--@ A | ext 1 | rows=1 | x": f"1: {HEADER}",
    "--# nothing": "1: no case in it",
}


def test_reading(tmp_path: Path) -> None:
    path = tmp_path / "good.sql"
    path.write_text(GOOD)
    cases = read(path)
    assert {name: [case.sql for case in found] for name, found in groups(cases).items()} == {
        "A1 simple": ["\nSELECT 'a b'"],
        "A1 ext": ["\nSELECT 'a b'"],
        "G": ["SELECT\n  $1", "SELECT 3"],
        "A2 simple": ["SELECT 2"],
    }
    assert cases[0].expectations == (("rows=", 1), ("val=", "a b"), ("jobs=", 0))
    assert cases[0].note == "a bar | in the note"
    assert (cases[2].parameters, cases[2].since, cases[2].line) == (("x | y", None, 7), 16, 5)
    assert cases[4].expectations == (("tag=", "a|b"), ("jobs=", 0))


@pytest.mark.parametrize("content", BAD)
def test_a_file_that_is_not_in_the_format(tmp_path: Path, content: str) -> None:
    path = tmp_path / "bad.sql"
    path.write_text(content)
    with pytest.raises(FormatError) as caught:
        read(path)
    assert str(caught.value) == f"{path}:{BAD[content]}"


def test_a_file_that_is_not_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "bad.sql"
    path.write_bytes(b"--@ A | both | rows=1 | x\nSELECT '\xe9'\n")
    with pytest.raises(FormatError, match=":2: not UTF-8"):
        read(path)


def test_a_message_without_an_answer_in_time_costs_the_session(tmp_path: Path, server: Server) -> None:
    path = tmp_path / "slow.sql"
    path.write_text("--@ A | simple | rows=1 | x\nSELECT pg_sleep(60)\n")
    talk = Talk(server.port, SUPERUSER, "postgres", limit=0.2)
    with pytest.raises(LostError, match="no answer within"):
        talk.ask(read(path)[0])
    talk.close()
    with pytest.raises(LostError, match="no connection"):
        Talk(free_port(), SUPERUSER, "postgres")


def command(*paths: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.harness.corpus", *map(str, paths)], capture_output=True, text=True, check=False
    )


def test_the_command_goes_on_behind_a_lost_session_and_counts(tmp_path: Path) -> None:
    path = tmp_path / "some.sql"
    path.write_text(
        "--@ A.1 | simple | rows=1 | ends its own session\nSELECT pg_terminate_backend(pg_backend_pid())\n"
        "--@ A.2 | simple | rows=1 | has none any more\nSELECT 1\n"
        "--@ B | both | rows=1 val=completed | goes on\nSELECT status FROM pgclone_jobs_view WHERE job_id = 8\n"
        "--@ C.1 | both | tag=CREATE_S_ROLE | leaves something behind\nCREATE ROLE corpus_role\n"
        "--@ D | simple | rows=1 val=0 | that is gone\nSELECT count(*) FROM pg_roles WHERE rolname = 'corpus_role'\n"
        "--@ E | simple | tag=COPY_S_0 | waits for data\nCREATE TEMP TABLE t (a int); COPY t FROM STDIN\n"
    )
    done = command(path)
    lines = done.stdout.splitlines()
    versions = len({line.split(" on ")[1].split(":")[0] for line in lines[:-1]})
    assert "Traceback" not in done.stderr
    assert lines[-1] == f"{5 * versions} passed, {3 * versions} failed"
    assert "some.sql:1 A.1 (simple) on PostgreSQL" in lines[0]
    assert "the connection was closed" in lines[0]
    assert "not played: its session was lost" in lines[1]
    assert "C.1 (ext)" in lines[2] and "got rows=0 error=42710" in lines[2]
    assert done.returncode == 1


def test_the_command_says_which_line_it_could_not_read(tmp_path: Path) -> None:
    path = tmp_path / "bad.sql"
    path.write_text("--@ A | both | lines=1 | x\n")
    done = command(path, tmp_path / "missing.sql")
    assert (done.returncode, done.stderr) == (2, f"{path}:1: not an expectation: lines=1\n")
    missing = command(tmp_path / "missing.sql")
    assert missing.returncode == 2 and "missing.sql" in missing.stderr
