"""Which sources a caller may have the proxy connect to: by host, by name, and with whose identity."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from proxy.embedded import SUPERUSER, Server
from proxy.launch import ProxyProcess
from tests.harness.proxies import Proxies, connect
from tests.harness.servers import PASSWORD, Database, fresh_database
from tests.harness.waiting import wait_until

USER = "sources_user"
TEAM = "sources_team"
LOOPBACK = ["127.0.0.1", "localhost"]
AS_INSTALLED: dict[str, Any] = {"allow": [], "deny": [], "inline": "remote", "require_password": True}
FINISHED = ("completed", "failed", "cancelled")


@pytest.fixture
def source(scram_server: Server) -> Iterator[Database]:
    """Has a table `t` and asks for a password."""
    with fresh_database(scram_server, "source") as database:
        database.execute("CREATE TABLE public.t AS SELECT generate_series(1, 10) AS id")
        yield database


@pytest.fixture
def trusting(source_server: Server) -> Iterator[Database]:
    """Has a table `t` and asks for nothing."""
    with fresh_database(source_server, "source") as database:
        database.execute("CREATE TABLE public.t AS SELECT generate_series(1, 10) AS id")
        yield database


@pytest.fixture
def target(target_server: Server) -> Iterator[Database]:
    """USER, who is no superuser, may create tables there, and is a member of TEAM."""
    with fresh_database(target_server, "target") as database:
        for role in (USER, TEAM):
            if not database.rows(f"SELECT 1 FROM pg_roles WHERE rolname = '{role}'"):
                database.execute(f"CREATE ROLE {role} LOGIN")
        database.execute(f"GRANT {TEAM} TO {USER}; GRANT CREATE ON SCHEMA public TO {USER}")
        yield database


def started(proxies: Proxies, target: Database, sections: dict[str, Any] | None = None, **sources: Any) -> ProxyProcess:
    return proxies.start(target.server.conninfo(), {"sources": AS_INSTALLED | sources, **(sections or {})})


def ask(proxy: ProxyProcess, target: Database, statement: str, values: Sequence[object] = (), user: str = USER) -> Any:
    with connect(proxy, target.name, user=user) as connection:
        row = connection.execute(statement.encode(), values).fetchone()
    return row[0] if row else None


def clone(proxy: ProxyProcess, target: Database, conninfo: str, user: str = USER, name: str = "t") -> Any:
    statement = "SELECT pgclone_table(%s, 'public', 't', true, %s)"
    return ask(proxy, target, statement, (conninfo, name), user)


def refusal(proxy: ProxyProcess, target: Database, conninfo: str, user: str = USER) -> psycopg.Error:
    """The error of a clone and of a verification, which are the same."""
    errors = []
    for statement in ("SELECT pgclone_table_async(%s, 'public', 't')", "SELECT * FROM pgclone_verify(%s)"):
        with pytest.raises(psycopg.Error) as refused:
            ask(proxy, target, statement, (conninfo,), user)
        errors.append(refused.value)
        assert refused.value.diag.message_hint
    assert errors[0].sqlstate == errors[1].sqlstate
    return errors[0]


def test_as_installed_nothing_local_is_reached(proxies: Proxies, source: Database, target: Database) -> None:
    proxy = started(proxies, target)
    port = source.server.port
    for where in (
        f"host=127.0.0.1 port={port}",
        f"hostaddr=127.0.0.1 port={port}",
        f"host=localhost port={port}",
        f"host=2130706433 port={port}",
        f"host=192.0.2.1 hostaddr=127.0.0.1 port={port}",
        f"host=192.0.2.1,0x7f.1 port={port}",
        "host=169.254.169.254 port=80",
        f"host={source.server.directory} port={port}",
        f"host=127.0.0.1 port={proxy.port}",
        f"host={proxy.directory} port={proxy.port}",
    ):
        for user in (USER, SUPERUSER):
            text = f"{where} dbname={source.name} user={SUPERUSER} password='{PASSWORD}'"
            assert refusal(proxy, target, text, user).sqlstate == "42501", where
    assert ask(proxy, target, "SELECT count(*) FROM pgclone_jobs_view", user=SUPERUSER) == 0


def test_a_host_that_is_allowed(proxies: Proxies, source: Database, target: Database) -> None:
    port = source.server.port
    proxy = started(proxies, target, allow=[f"localhost:{port}"])
    text = f"port={port} dbname={source.name} user={SUPERUSER} password='{PASSWORD}'"
    assert clone(proxy, target, f"host=localhost {text}") == "OK"
    assert target.value("SELECT count(*) FROM t") == 10
    assert refusal(proxy, target, f"host=127.0.0.1 {text}").sqlstate == "42501"


def test_a_password_must_be_given_and_asked_for(
    proxies: Proxies, source: Database, trusting: Database, target: Database
) -> None:
    proxy = started(proxies, target, allow=LOOPBACK)
    assert refusal(proxy, target, trusting.conninfo()).sqlstate == "2F003"
    assert clone(proxy, target, source.conninfo()) == "OK"
    not_asked = trusting.conninfo(password="for nothing")
    with pytest.raises(psycopg.Error) as refused:
        clone(proxy, target, not_asked)
    assert refused.value.sqlstate == "2F003"
    with pytest.raises(psycopg.Error) as refused:
        ask(proxy, target, "SELECT * FROM pgclone_verify(%s)", (not_asked,))
    assert refused.value.sqlstate == "2F003"
    assert clone(proxy, target, trusting.conninfo(), user=SUPERUSER, name="by_superuser") == "OK"
    assert clone(proxy, target, not_asked, user=SUPERUSER, name="by_superuser_too") == "OK"


def test_administrators_of_the_proxy_need_no_password(proxies: Proxies, trusting: Database, target: Database) -> None:
    proxy = started(proxies, target, {"jobs": {"admin_roles": [TEAM]}}, allow=LOOPBACK)
    assert clone(proxy, target, trusting.conninfo()) == "OK"


def test_the_target_server_is_read_as_oneself_only(
    proxies: Proxies, scram_server: Server, target_server: Server, target: Database
) -> None:
    proxy = started(proxies, target)
    with fresh_database(target_server, "beside") as beside:
        beside.execute(f"CREATE TABLE t AS SELECT generate_series(1, 3) AS id; GRANT SELECT ON t TO {USER}")
        assert clone(proxy, target, f"dbname={beside.name}") == "OK"
        assert refusal(proxy, target, f"dbname={beside.name} user={SUPERUSER}").sqlstate == "2F003"
        assert refusal(proxy, target, f"dbname={beside.name} port={scram_server.port}").sqlstate == "42501"


def named(source: Database, **more: Any) -> dict[str, Any]:
    return {"conninfo": source.server.conninfo("").replace("dbname=''", ""), "password": PASSWORD, **more}


def test_a_named_source(proxies: Proxies, source: Database, target: Database) -> None:
    proxy = started(proxies, target, {"source.prod": named(source), "source.one": fixed(source)}, inline="none")
    assert clone(proxy, target, f"source=prod dbname={source.name}") == "OK"
    assert clone(proxy, target, "one", name="whole") == "OK"
    verified = ask(proxy, target, "SELECT match FROM pgclone_verify('one') WHERE table_name = 't'")
    assert verified == "✓"
    assert refusal(proxy, target, f"one dbname={source.name}").sqlstate == "22023"
    assert refusal(proxy, target, f"source=one dbname={source.name}").sqlstate == "22023"
    assert refusal(proxy, target, source.conninfo()).sqlstate == "42501"


def fixed(source: Database) -> dict[str, Any]:
    return {"conninfo": source.conninfo()}


def test_a_named_source_is_for_the_roles_that_it_lists(proxies: Proxies, source: Database, target: Database) -> None:
    sections = {
        "source.mine": fixed(source) | {"roles": [USER]},
        "source.team": fixed(source) | {"roles": [TEAM]},
        "source.others": fixed(source) | {"roles": ["pg_monitor"]},
    }
    proxy = started(proxies, target, sections)
    for name in ("mine", "team"):
        assert clone(proxy, target, name, name=name) == "OK"
    others, unknown = (refusal(proxy, target, name) for name in ("others", "unknown"))
    assert others.sqlstate == unknown.sqlstate == "42501"
    assert str(others).replace("others", "?") == str(unknown).replace("unknown", "?").replace("others", "?")
    assert clone(proxy, target, "others", user=SUPERUSER, name="all") == "OK"
    target.execute(f"REVOKE {TEAM} FROM {USER}")
    assert refusal(proxy, target, "team").sqlstate == "42501"


def test_an_interrupted_job_goes_on_with_the_source_of_its_name(
    proxies: Proxies, source: Database, target: Database, short_tmp: Path
) -> None:
    file = short_tmp / "password"
    file.touch(mode=0o600)
    file.write_text(f"{PASSWORD}\n")
    proxy = started(proxies, target, {"source.prod": named(source, password="", password_file=str(file))})
    with source.connect() as holder:
        holder.execute("BEGIN; LOCK TABLE public.t IN ACCESS EXCLUSIVE MODE")
        call = sql.SQL("SELECT pgclone_table_async({}, 'public', 't')").format(f"source=prod dbname={source.name}")
        ask(proxy, target, call.as_string())
        wait_until(lambda: states(proxy, target) == ["running"], 30, "the job to run")
        proxy.kill()
    proxy.start()
    wait_until(lambda: states(proxy, target) == ["failed", "completed"], 30, "the job to go on")
    assert target.value("SELECT count(*) FROM t") == 10


def test_a_resumed_job_is_checked_anew(proxies: Proxies, source: Database, target: Database) -> None:
    proxy = started(proxies, target, {"source.prod": fixed(source)}, allow=LOOPBACK)
    target.execute(f"CREATE TABLE public.t (); ALTER TABLE public.t OWNER TO {USER}")
    for text in (source.conninfo(), "prod"):
        with pytest.raises(psycopg.Error):
            clone(proxy, target, text)
    proxy.stop()
    written = proxy.config_path.read_text()
    proxy.config_path.write_text(
        written.replace('"127.0.0.1", "localhost"', "").replace("[source.prod]", "[source.new]")
    )
    proxy.start()
    for job in (1, 2):
        with pytest.raises(psycopg.Error) as refused:
            ask(proxy, target, f"SELECT pgclone_resume({job})")
        assert refused.value.sqlstate == "42501"
    proxy.stop()
    proxy.config_path.write_text(written)
    proxy.start()
    target.execute("DROP TABLE public.t")
    assert ask(proxy, target, "SELECT pgclone_resume(1)") == 3
    wait_until(lambda: states(proxy, target)[2:] == ["completed"], 30, "the resumed job")


def states(proxy: ProxyProcess, target: Database) -> list[str]:
    with connect(proxy, target.name, user=USER) as connection:
        return [row[0] for row in connection.execute("SELECT status FROM pgclone_jobs_view ORDER BY job_id")]


def test_rules_count_from_a_reload_also_in_a_session_that_has_cloned_before(
    proxies: Proxies, source: Database, target: Database
) -> None:
    proxy = started(proxies, target, {"source.mine": fixed(source) | {"roles": [USER]}})
    with connect(proxy, target.name, user=USER) as connection:
        statement = "SELECT pgclone_table('mine', 'public', 't', true, %s)"
        assert connection.execute(statement, ("before",)).fetchone() == ("OK",)
        text = proxy.config_path.read_text()
        proxy.config_path.write_text(text.replace(f'roles = ["{USER}"]', 'roles = ["pg_monitor"]'))
        assert proxy.config_path.read_text() != text
        assert proxy.process is not None
        proxy.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "configuration is reloaded" in proxy.log())
        with pytest.raises(psycopg.Error) as refused:
            connection.execute(statement, ("after",))
        assert refused.value.sqlstate == "42501"
