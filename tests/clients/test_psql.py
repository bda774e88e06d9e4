"""psql's own commands: what each psql here prints through the proxy is what it prints without, carets included.

Every script is run by every psql of this machine that has what it needs, on the newest server.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from proxy.installations import Installation, installations
from proxy.launch import clean_environment
from tests.clients.peers import Peers, Place

PSQLS = {f"psql {each.major}": each for each in installations() if Path(each.program("psql")).exists()}


class Script(NamedTuple):
    """Lines for psql, what its output must have in it, and the first psql that can do this."""

    text: str
    words: str
    since: int = 0


ALL = "SELECT job_id, status FROM pgclone_jobs_view ORDER BY 1"
START = "SELECT pgclone_schema_async('c', 's')"

SCRIPTS: dict[str, Script] = {
    "a query": Script("SELECT * FROM pgclone_jobs_view ORDER BY 1;", "] 0.0% | 0 rows | "),
    "expanded": Script("SELECT * FROM pgclone_jobs_view WHERE job_id = 8 \\gx", "-[ RECORD 1 ]-"),
    "column names": Script(
        "SELECT pgclone_version(), pgclone.version() || '', pgclone_progress(7)::json, now() IS NULL;",
        "pgclone_version",
    ),
    "gdesc of the view": Script("SELECT * FROM pgclone_jobs_view \\gdesc", "double precision"),
    "gdesc of calls": Script(
        f"SELECT pgclone_progress(7), pgclone_progress(7)::json, ({START}) AS job, v FROM pgclone_jobs() v \\gdesc",
        "json",
    ),
    "gdesc with parameters": Script("SELECT pgclone_progress($1), $2::date \\gdesc", "date"),
    "gset": Script(
        "SELECT job_id AS job, status FROM pgclone_jobs_view WHERE job_id = 7 \\gset\n\\echo :job :status\n"
        "SELECT pgclone_progress(:job)::json ->> 'status';",
        "7 running",
    ),
    "gexec": Script(f"SELECT format('SELECT %s AS j, pgclone_progress(%1$s)', job_id) FROM ({ALL}) q \\gexec", "| {"),
    "gexec of actions": Script(
        "SELECT format('SELECT pgclone_table_async(%L, %L, %L)', 'c', schemaname, tablename) FROM pg_tables"
        " WHERE schemaname = 'sales' ORDER BY 1 \\gexec",
        "102",
    ),
    "crosstabview": Script(
        "SELECT schema_name, status, count(*) FROM pgclone_jobs_view GROUP BY 1, 2 ORDER BY 1 \\crosstabview",
        "schema_name | completed | running",
    ),
    "watch": Script(
        "SELECT status FROM pgclone_jobs_view WHERE job_id = 7 \\watch interval=0.01 count=3", "running", 16
    ),
    "bind": Script("SELECT status FROM pgclone_jobs_view WHERE job_id = $1 \\bind 7 \\g", "running", 16),
    "bind of an action": Script("SELECT pgclone_schema_async($1, $2) \\bind c s \\g", "101", 16),
    "a named statement": Script(
        "SELECT status, $2::text FROM pgclone_jobs_view WHERE job_id = $1 \\parse s\n"
        "\\bind_named s 7 a \\g\n\\bind_named s 8 b \\g\n\\close_prepared s\n\\bind_named s 8 b \\g",
        "completed | b",
        18,
    ),
    "a pipeline": Script(
        "\\startpipeline\nSELECT 1 \\bind \\sendpipeline\nSELECT status FROM pgclone_jobs_view WHERE job_id = $1"
        f" \\bind 8 \\sendpipeline\n{START} \\bind \\sendpipeline\n\\flushrequest\n\\getresults\n"
        "SELECT 2 \\bind \\sendpipeline\n\\endpipeline",
        "completed",
        18,
    ),
    "a pipeline with an error": Script(
        "\\startpipeline\nSELECT pgclone_progress(99) \\bind \\sendpipeline\nSELECT 2 \\bind \\sendpipeline\n"
        f"\\syncpipeline\n{START} \\bind \\sendpipeline\n\\endpipeline",
        "job 99 not found",
        18,
    ),
    "copy": Script(f"\\copy ({ALL}) to stdout", "7\trunning"),
    "copy as CSV": Script(f"\\copy ({ALL}) to stdout with (format csv, header)", "job_id,status"),
    "copy in between": Script(
        f"CREATE TEMP TABLE t (a text);\n\\copy t from stdin\npgclone_progress(1)\n\\.\n{ALL};\nTABLE t;",
        "pgclone_progress(1)",
    ),
    "statements in one string": Script(f"SELECT 1 AS one\\; {ALL}\\; SELECT 2 AS two;", "two"),
    "an action in one string": Script(f"SELECT 1 AS one\\; {START}\\; SELECT 2 AS two;", "101"),
    "an error in one string": Script(
        f"CREATE TEMP TABLE t ()\\; {START}\\; SELECT 1 / 0\\; SELECT 2 AS two;\nTABLE t;", "division by zero"
    ),
    "a transaction": Script(f"BEGIN;\n{START};\n{ALL};\nROLLBACK;\n{ALL};", "ROLLBACK"),
    "ON_ERROR_ROLLBACK": Script(
        f"\\set ON_ERROR_ROLLBACK on\nBEGIN;\nSELECT pgclone_progress(99);\n{START};\nSELECT 1 / 0;\n{ALL};\nCOMMIT;",
        "COMMIT",
    ),
    "ON_ERROR_STOP": Script(f"\\set ON_ERROR_STOP on\nSELECT pgclone_cancel(1, 2, 3);\n{ALL};", "does not exist"),
    "AUTOCOMMIT off": Script(f"\\set AUTOCOMMIT off\n{START};\n{ALL};\nROLLBACK;\nSELECT 1;", "running"),
    "the result's variables": Script(
        f"{ALL};\n\\echo :ROW_COUNT :SQLSTATE :ERROR\nSELECT pgclone_progress(99);\n"
        "\\echo :SQLSTATE :LAST_ERROR_MESSAGE :LAST_ERROR_SQLSTATE",
        "P0002 pgclone: job 99 not found P0002",
    ),
    "PREPARE": Script(
        "PREPARE p(int) AS SELECT status FROM pgclone_jobs_view WHERE job_id = $1;\nEXECUTE p(7);\nEXECUTE p(8);\n"
        "DEALLOCATE p;\nEXECUTE p(8);",
        "completed",
    ),
    "FETCH_COUNT": Script(
        "\\set FETCH_COUNT 3\nSELECT job_id, g FROM pgclone_jobs_view, generate_series(1, 5) g ORDER BY 1, 2;",
        "(10 rows)",
    ),
    "FETCH_COUNT with an error": Script(
        "\\set FETCH_COUNT 3\nSELECT pgclone_progress(g) FROM generate_series(7, 9) g;", "job 9"
    ),
    "a cursor": Script(
        f"BEGIN;\nDECLARE c SCROLL CURSOR FOR {ALL};\nFETCH 1 FROM c;\nMOVE ALL c;\nFETCH PRIOR FROM c;", "MOVE"
    ),
    "EXPLAIN": Script(f"\\t\nEXPLAIN (COSTS off) {START};\n{START};", "101"),
    "notices": Script(
        f"SELECT noisy('us'), ({START});\nSELECT noisy(status) FROM pgclone_jobs_view ORDER BY job_id;", "about us"
    ),
    "an error behind ours": Script("SELECT pgclone_version(), nosuch FROM pgclone_jobs_view;", "^"),
    "an error on another line": Script("SELECT 'ü',\n  pgclone_progress(7), -- of pgclone_jobs()\n  1 + nosuch;", "^"),
    "an error in an argument": Script("SELECT 'üü', pgclone_progress(nosuch + 1);", "^"),
    "an error between two": Script(
        "SELECT v.status, v.nosuch FROM pgclone_jobs_view v\nJOIN pgclone_jobs_view w USING (job_id);", "^"
    ),
    "wrong arguments": Script("SELECT 'ü',\n\tpgclone_progress(1, 2), pgclone_jobs_view FROM pgclone_jobs_view;", "^"),
    "an unknown function": Script("SELECT 'ü', pgclone_nosuch(1) FROM pgclone_jobs_view;", "^"),
    "a syntax error": Script("SELECT pgclone_progress(7) FORM pgclone_jobs_view;", "^"),
}


def said(installation: Installation, place: Place, script: str, *options: str, hints: bool = False) -> tuple[str, str]:
    """What psql prints, and what it says on standard error, to a script."""
    done = subprocess.run(
        [installation.program("psql"), "-X", *options, "-d", place.conninfo()],
        input=script, env=clean_environment({"PGCLIENTENCODING": "UTF8"}), capture_output=True, text=True, check=False,
    )  # fmt: skip
    return _without_dates(done.stdout), done.stderr if hints else _without_hints(done.stderr)


def _without_dates(output: str) -> str:
    return re.sub(r"^.*\(every .*\)\n", "", output, flags=re.M)


def _without_hints(errors: str) -> str:
    """Details and hints are the proxy's own."""
    return re.sub(r"^(?:DETAIL|HINT|CONTEXT):.*\n(?:PL/pgSQL .*\n|SQL .*\n)*", "", errors, flags=re.M)


@pytest.fixture(params=PSQLS)
def psql(request: pytest.FixtureRequest) -> Installation:
    """One of them."""
    return PSQLS[request.param]


@pytest.mark.parametrize(
    ("version", "name"),
    [
        (version, name)
        for version, psql in PSQLS.items()
        for name, script in SCRIPTS.items()
        if psql.major >= script.since
    ],
)
def test_psql_prints_the_same(peers: Peers, version: str, name: str) -> None:
    script = SCRIPTS[name]
    assert script.words in "".join(peers.same(lambda place: said(PSQLS[version], place, script.text)))


@pytest.mark.parametrize("options", [("-1",), ("-A", "-t"), ("--csv",), ("-H",), ("-E",)], ids=" ".join)
def test_options(peers: Peers, psql: Installation, options: tuple[str, ...]) -> None:
    output, _ = peers.same(lambda place: said(psql, place, f"{START};\n{ALL};", *options))
    assert "101" in output and "running" in output


def test_one_string_on_the_command_line(peers: Peers, psql: Installation) -> None:
    command = f"SELECT 1; {START}; {ALL}; SELECT 1 / 0"
    assert "101" in peers.same(lambda place: said(psql, place, "", "-c", command))[0]


def test_an_action_with_fetch_count(peers: Peers, psql: Installation) -> None:
    # Up to version 16 psql declares a cursor for it, which is refused, as other cursors over actions are.
    output, errors = said(psql, peers.through, f"\\set FETCH_COUNT 3\n{START};", hints=True)
    assert ("1 row" in output) == (psql.major >= 17)
    assert ("in psql \\unset FETCH_COUNT" in errors) == (psql.major < 17)
