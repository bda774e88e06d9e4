"""Apache Superset, the real one, on the jobs view: its table picker, charts and SQL Lab, asked over its own API.

Not part of the test run, for it installs Superset from PyPI (some 800 MB) and takes minutes:

    .venv/bin/python -m tests.clients.superset --venv /tmp/superset-venv

Without --venv the installation is thrown away.  Everything else always is: two embedded servers, a proxy with a small
clone behind it and the stubs in its target, and Superset's own database (SQLite).  Prints what Superset answered; the
exit code is 0 only if all of it is right.  At run time only loopback is contacted.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import venv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from proxy.embedded import SUPERUSER, free_port
from proxy.launch import ProxyProcess, clean_environment
from tests.harness.proxies import connect, running_proxies
from tests.harness.servers import Database, fresh_database, running_servers
from tests.harness.waiting import wait_until

VERSION = "6.1.0"
PACKAGES = (f"apache-superset=={VERSION}", "psycopg2-binary", "cachetools", "flask-caching<2.4", "flask-limiter<4")
"""The last three are what this version of Superset needs and does not declare."""
CONFIG = """
SQLALCHEMY_DATABASE_URI = {database!r}
SECRET_KEY = {secret!r}
WTF_CSRF_ENABLED = False
TALISMAN_ENABLED = False
FEATURE_FLAGS = {{"ESTIMATE_QUERY_COST": True}}
"""
VIEW = "pgclone_jobs_view"


def main() -> int:
    """Install, start, ask, compare."""
    options = argparse.ArgumentParser(description="Run Apache Superset on the jobs view.")
    options.add_argument("--venv", type=Path, help="where Superset is or will be installed")
    chosen = options.parse_args().venv
    with tempfile.TemporaryDirectory(prefix="superset-") as scratch:
        programs = installed(chosen or Path(scratch) / "venv")
        home = Path(scratch) / "home"
        home.mkdir()
        with jobs_behind_a_proxy() as (proxy, source, target), Superset(programs, home) as superset:
            print(f"Superset {VERSION} on PostgreSQL {target.value('SHOW server_version')}")
            uri = f"postgresql+psycopg2://{SUPERUSER}@127.0.0.1:{proxy.port}/{target.name}"
            return conversation(superset, uri, source.conninfo())


def installed(place: Path) -> Path:
    """The directory of Superset's programs, installed at `place` if they are not there."""
    programs = place / "bin"
    if not (programs / "superset").exists():
        print(f"installing {', '.join(PACKAGES)} into {place} …", flush=True)
        venv.create(place, with_pip=True)
        subprocess.run([programs / "pip", "install", "--quiet", *PACKAGES], check=True)
    return programs


@contextlib.contextmanager
def jobs_behind_a_proxy() -> Iterator[tuple[ProxyProcess, Database, Database]]:
    """A proxy whose target has the stubs, with one completed job; the source, and the target."""
    with (
        tempfile.TemporaryDirectory(prefix="pgclone-") as directory,
        running_servers() as servers,
        running_proxies(Path(directory)) as proxies,
        fresh_database(servers.get(name="source"), "source") as source,
        fresh_database(servers.get(), "target") as target,
    ):
        source.execute("CREATE SCHEMA sales; CREATE TABLE sales.orders AS SELECT generate_series(1, 1000) AS id")
        proxy = proxies.start(target.server.conninfo())
        stubs = [sys.executable, "-m", "proxy", "install-stubs", "-c", str(proxy.config_path), "--dbname", target.name]
        subprocess.run(stubs, check=True, env=clean_environment({}))
        with connect(proxy, target.name) as connection:
            connection.execute("SELECT pgclone_schema_async(%s, 'sales')", [source.conninfo()])
            completed = f"SELECT FROM {VIEW} WHERE status = 'completed'"
            wait_until(
                lambda: connection.execute(completed.encode()).fetchone() is not None, what="the clone to be complete"
            )
        yield proxy, source, target


class Superset:
    """A Superset of our own with its data in `home`.  A context manager: entered serving, left stopped."""

    def __init__(self, programs: Path, home: Path) -> None:
        self._programs = programs
        self._home = home
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._headers = {"Content-Type": "application/json"}
        config = home / "superset_config.py"
        self._environment = clean_environment(
            {"SUPERSET_CONFIG_PATH": str(config), "SUPERSET_HOME": str(home), "FLASK_APP": "superset"}
        )
        config.write_text(CONFIG.format(database=f"sqlite:///{home}/superset.db", secret=secrets.token_hex(32)))

    def __enter__(self) -> Superset:
        password = secrets.token_hex(16)
        self._command("db", "upgrade")
        person = ("--username", "admin", "--firstname", "a", "--lastname", "b", "--email", "admin@localhost")
        self._command("fab", "create-admin", *person, stdin=f"{password}\n{password}\n")
        self._command("init")
        with (self._home / "server.log").open("wb") as log:
            command = [str(self._programs / "superset"), "run", "-h", "127.0.0.1", "-p", str(self._port)]
            self._process = subprocess.Popen(
                command, cwd=self._home, env=self._environment, stdout=log, stderr=log, start_new_session=True
            )
        wait_until(self._serves, 120, "Superset to serve")
        login = {"username": "admin", "password": password, "provider": "db"}
        self._headers["Authorization"] = "Bearer " + self.ask("security/login", login)["access_token"]
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGTERM)
            self._process.wait(30)

    def ask(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """What its API answers: to a GET, or to a POST of `body`.  AssertionError with its words if it refuses."""
        url = f"http://127.0.0.1:{self._port}/api/v1/{path}"
        data = None if body is None else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(urllib.request.Request(url, data, self._headers), timeout=120) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{path}: {error.code} {error.read().decode(errors='replace')}") from None

    def _command(self, *arguments: str, stdin: str = "") -> None:
        # A session of its own has no terminal, so that a password is read from stdin.
        done = subprocess.run(
            [self._programs / "superset", *arguments],
            cwd=self._home,
            env=self._environment,
            input=stdin,
            capture_output=True,
            text=True,
            start_new_session=True,
            check=False,
        )
        assert done.returncode == 0, f"superset {arguments[0]}:\n{done.stdout}{done.stderr}"

    def _serves(self) -> bool:
        with contextlib.suppress(OSError):
            return bool(urllib.request.urlopen(f"http://127.0.0.1:{self._port}/health", timeout=5).status == 200)
        return False


def conversation(superset: Superset, uri: str, source: str) -> int:
    """What a person would do with the database at `uri`, in order; 0 if every answer was as expected."""
    wrong: list[str] = []

    def check(what: str, found: Any, expected: Any) -> None:
        print(f"{'ok   ' if found == expected else 'WRONG'} {what}: {found!r}", flush=True)
        if found != expected:
            wrong.append(f"{what}: expected {expected!r}")

    database = connected(superset, uri)
    check("table picker", listed(superset, database), [(VIEW, "view")])
    check("columns of the view", [c["name"] for c in described(superset, database)["columns"]][:3], [
        "job_id", "status", "op_type",
    ])  # fmt: skip
    dataset = superset.ask("dataset/", {"database": database, "schema": "public", "table_name": VIEW})["id"]
    check("time columns of the dataset", time_columns(superset, dataset), ["end_time", "start_time"])
    rows = [{"status": "completed", "count": 1, "rows": 1000}]
    check("chart", chart(superset, dataset, ["status"]), rows)
    check("time series", [sorted(row) for row in chart(superset, dataset, [BY_DAY])], [["count", "rows", "start_time"]])
    query = {"database": database, "schema": "public", "table_name": "mine", "sql": f"SELECT * FROM {VIEW}"}
    virtual = superset.ask("dataset/", query)["id"]
    check("chart on a virtual dataset", chart(superset, virtual, ["status"]), rows)
    values = superset.ask(f"datasource/table/{dataset}/column/status/values/")["result"]
    check("values for a filter", values, ["completed"])
    for sql, expected in SQL_LAB.items():
        check(f"SQL Lab: {sql}", sql_lab(superset, database, sql), expected)
    start = f"SELECT pgclone_table_async('{source}', 'sales', 'orders', true, 'again') AS job"
    check("a clone started in SQL Lab", sql_lab(superset, database, start), [{"job": 2}])
    estimate = superset.ask("sqllab/estimate/", {"database_id": database, "sql": f"SELECT * FROM {VIEW}"})
    check("estimate of the cost", [sorted(each) for each in estimate["result"]], [["Start-up cost", "Total cost"]])
    print("\n".join(wrong) if wrong else "all as expected")
    return 1 if wrong else 0


BY_DAY = {"columnType": "BASE_AXIS", "timeGrain": "P1D", "expressionType": "SQL", "sqlExpression": "start_time",
          "label": "start_time"}  # fmt: skip
"""The x axis of a time series."""
METRICS = [{"expressionType": "SQL", "sqlExpression": "count(*)", "label": "count"},
           {"expressionType": "SQL", "sqlExpression": "sum(rows_copied)", "label": "rows"}]  # fmt: skip
SQL_LAB: Mapping[str, list[dict[str, Any]]] = {
    f"SELECT job_id, status, progress_bar LIKE '%100.0%%' AS done FROM {VIEW}": [
        {"job_id": 1, "status": "completed", "done": True}
    ],
    f"WITH j AS (SELECT * FROM pgclone.jobs_view) SELECT count(*) AS n FROM j JOIN {VIEW} USING (job_id)": [{"n": 1}],
    "SELECT pgclone_progress(1)::json ->> 'status' AS status": [{"status": "completed"}],
}


def connected(superset: Superset, uri: str) -> int:
    """The number of a new database connection."""
    body = {"database_name": "target", "sqlalchemy_uri": uri}
    superset.ask("database/test_connection/", body)
    found: int = superset.ask(
        "database/", {**body, "expose_in_sqllab": True, "extra": '{"cost_estimate_enabled": true}'}
    )["id"]
    return found


def listed(superset: Superset, database: int) -> list[tuple[str, str]]:
    """What the table picker shows in schema public: names and kinds."""
    tables = superset.ask(f"database/{database}/tables/?q=(force:!t,schema_name:public)")["result"]
    return [(each["value"], each["type"]) for each in tables]


def described(superset: Superset, database: int) -> Any:
    """The view as Superset describes it."""
    return superset.ask(f"database/{database}/table_metadata/?name={VIEW}&schema=public")


def time_columns(superset: Superset, dataset: int) -> list[str]:
    """The columns that a dataset offers for a time axis, in order."""
    columns = superset.ask(f"dataset/{dataset}")["result"]["columns"]
    return sorted(each["column_name"] for each in columns if each["is_dttm"])


def chart(superset: Superset, dataset: int, columns: list[Any]) -> list[dict[str, Any]]:
    """The rows of a chart that counts by `columns`."""
    query = {"columns": columns, "metrics": METRICS, "row_limit": 100, "orderby": []}
    body = {"datasource": {"id": dataset, "type": "table"}, "queries": [query], "force": True}
    rows: list[dict[str, Any]] = superset.ask("chart/data", body)["result"][0]["data"]
    return rows


def sql_lab(superset: Superset, database: int, sql: str) -> list[dict[str, Any]]:
    """The rows of a query in SQL Lab."""
    body = {"database_id": database, "sql": sql, "client_id": secrets.token_hex(5), "runAsync": False}
    rows: list[dict[str, Any]] = superset.ask("sqllab/execute/", body)["data"]
    return rows


if __name__ == "__main__":
    sys.exit(main())
