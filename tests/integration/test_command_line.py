"""The command line as a new user meets it: one clear line and exit code 2 for what cannot be used."""

from __future__ import annotations

import signal
from pathlib import Path

import psycopg
import pytest

from clone_engine.records.errors import PgError
from proxy.demo import TAKEN
from proxy.embedded import Server, free_port
from proxy.launch import ProxyProcess
from tests.harness.commands import run
from tests.harness.proxies import Proxies
from tests.harness.servers import Servers

BAD = {
    "unknown key": ('[server]\nlisten_prt = 1\n', "listen_prt"),
    "unknown section": ("[sever]\n", "sever"),
    "no section": ("jobs = 3\n", "[jobs] is a section"),
    "sections of one name": ("[[tls]]\n", "[tls] is a section"),
    "wrong type": ('[server]\nlisten_port = "many"\n', "server.listen_port"),
    "out of range": ("[jobs]\ndefault_parallel = 0\n", "jobs.default_parallel"),
    "not TOML": ("[server\n", "not valid TOML"),
    "no target": ("", "no target server"),
    "bad target": ('[server]\ntarget = "host=h password=canary port"\n', "server.target"),
    "nobody listens at the target": ('[server]\ntarget = "host=127.0.0.1 port=1"\n', "127.0.0.1:1"),
    "no passfile": ('[jobs]\npassfile = "nosuch"\n', "nosuch"),
    "a passfile that others can read": ('[jobs]\npassfile = "c.toml"\n', "chmod 600"),
    "a list that does not fit": ('[server]\ntarget = "host=a,b,c port=1,2"\n', "2 values of port for 3 hosts"),
    "nobody listens at any host": (
        '[server]\ntarget = "host=127.0.0.1,127.0.0.2 port=1"\n', "127.0.0.1:1: Connection refused; 127.0.0.2:1:"
    ),
    "what is no name": ('[server]\ntarget = "host=a..b port=6432"\n', "a..b cannot be the name of a host"),
    "no such sslmode": ('[server]\ntarget = "host=h sslmode=full"\n', "verify-full"),
    "no authority": ('[server]\ntarget = "host=h sslmode=verify-full"\n', "needs sslrootcert"),
    "no such authority": ('[server]\ntarget = "host=h sslrootcert=nosuch.crt"\n', "cannot read sslrootcert nosuch.crt"),
    "no certificate": ('[server]\ntarget = "host=h sslrootcert=c.toml"\n', "holds no certificate"),
    "a key without its certificate": ('[server]\ntarget = "host=h sslkey=c.toml"\n', "sslcert and sslkey go together"),
    "a key that others can read": ('[server]\ntarget = "host=h sslcert=c.toml sslkey=c.toml"\n', "chmod 600"),
    "direct TLS that may be none": ('[server]\ntarget = "host=h sslnegotiation=direct"\n', "sslmode=prefer"),
    "nobody to verify": (
        '[server]\ntarget = "hostaddr=127.0.0.1 sslrootcert=system"\n', "needs a host to verify"
    ),
    "a service": ('[server]\ntarget = "service=prod"\n', "service is not supported"),
    "no user to ask a server as": (
        '[server]\ntarget = "host=h target_session_attrs=primary"\n', "target_session_attrs=primary needs a user"
    ),
    "no such attribute": ('[server]\ntarget = "host=h target_session_attrs=writer"\n', "prefer-standby"),
    "the proxy itself": ('[server]\ntarget = "host=localhost port=6432"\n', "the proxy itself, at localhost:6432"),
    "an @ that splits the password": (
        '[server]\ntarget = "postgresql://u:can@ary@h/x"\n', "written as %40"
    ),
    "no pattern": ('[sources]\nallow = ["10.0.0.1/8"]\n', "sources.allow: '10.0.0.1/8'"),
    "no such way": ('[sources]\ninline = "all"\n', "sources.inline"),
    "a source without a section": ('[source]\nprod = "host=h"\n', "[source.NAME]"),
    "no name for a source": ('[source.Prod]\nconninfo = "host=h"\n', "[source.Prod]"),
    "unknown key of a source": ('[source.prod]\nconninfo = "host=h"\nrole = "x"\n', "is roles meant?"),
    "a source that is none": ('[source.prod]\nconninfo = "host=h password=canary port"\n', "source.prod: conninfo"),
    "a source without a host": ('[source.prod]\nconninfo = "user=u"\n', "names no host"),
    "no password file": ('[source.prod]\nconninfo = "host=h"\npassword_file = "nosuch"\n', "nosuch"),
    "a password file that others can read": (
        '[source.prod]\nconninfo = "host=h"\npassword_file = "c.toml"\n', "chmod 600"
    ),
    "files of nobody's": ('[tls]\ncert_file = "~no/c"\nkey_file = "~no/k"\n', "tls.cert_file ~no/c"),
    "an authority of nobody's": (
        '[tls]\nclient_cert = "optional"\nclient_ca_file = "~no/c"\n', "tls.client_ca_file ~no/c"
    ),
    "a password file of nobody's": ('[source.prod]\nconninfo = "host=h"\npassword_file = "~no/p"\n', "~no/p"),
    "a passfile of nobody's": (
        '[server]\ntarget = "host=h user=u target_session_attrs=standby"\n[jobs]\npassfile = "~no/p"\n',
        "jobs.passfile ~no/p",
    ),
    "its own socket": ('[server]\ntarget = "host=/tmp port=6432"\n', "the proxy itself, at /tmp/.s.PGSQL.6432"),
}  # fmt: skip


@pytest.mark.parametrize("text", ["server = 3", "[[server]]", "log = 3", "[source]\nprod = 3"])
def test_what_is_no_section_cannot_be_set_from_the_environment_either(short_tmp: Path, text: str) -> None:
    (short_tmp / "c.toml").write_text(text)
    given = {"SERVER_TARGET": "host=h", "LOG_LEVEL": "info", "SOURCE_PROD_PASSWORD": "p"}
    done = run(
        "check-config", "-c", "c.toml", directory=short_tmp, **{f"PGCLONE_PROXY_{name}": given[name] for name in given}
    )
    assert done.returncode == 2
    assert "section" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_used_is_one_line_and_exit_code_2(short_tmp: Path, name: str) -> None:
    text, words = BAD[name]
    (short_tmp / "c.toml").write_text(text)
    (short_tmp / "c.toml").chmod(0o644)
    target = {} if name == "no target" else {"DATABASE_URL": "host=h"}  # where the row has none
    done = run("serve", "-c", "c.toml", directory=short_tmp, **target)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert words in done.stderr
    assert "canary" not in done.stderr
    assert done.stdout == ""


def test_all_problems_are_said_each_with_the_setting_that_may_be_meant(short_tmp: Path) -> None:
    text = '[server]\nlisten_prt = 1\nlisten_port = "many"\n[jobs]\nmax_running = 0\npassfile = "nosuch"\n[sever]\n'
    (short_tmp / "c.toml").write_text(text)
    done = run("check-config", "-c", "c.toml", directory=short_tmp, PGCLONE_PROXY_LOG_LEVL="debug")
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    expected = [
        "PGCLONE_PROXY_LOG_LEVEL",
        "listen_port",
        "server.listen_port:",
        "server",
        "jobs.max_running",
        "nosuch",
        "no target",
    ]
    for words in expected:
        assert [line for line in lines if words in line], (words, lines)
    assert len(lines) == len(expected), lines


@pytest.mark.parametrize(
    ("host", "warned"), [("127.0.0.1", 0), ("::1", 0), ("localhost", 0), ("", 1), ("0.0.0.0", 1), ("db.example", 1)]
)
def test_what_is_most_likely_not_meant_is_a_warning(short_tmp: Path, host: str, warned: int) -> None:
    environment = {"PGCLONE_PROXY_SERVER_TARGET": "host=h", "PGCLONE_PROXY_SERVER_LISTEN_HOST": host}
    done = run("check-config", directory=short_tmp, **environment)
    assert (done.returncode, done.stderr.count("warning: server.listen_host")) == (0, warned)


def test_a_missing_file_is_named(short_tmp: Path) -> None:
    done = run("serve", "-c", "nosuch.toml", directory=short_tmp)
    assert (done.returncode, "nosuch.toml" in done.stderr) == (2, True)


def test_a_port_in_use_is_named(short_tmp: Path, proxy: ProxyProcess, server: Server) -> None:
    done = run(
        "serve",
        directory=short_tmp,
        DATABASE_URL=f"postgresql://127.0.0.1:{server.port}/postgres",
        PGCLONE_PROXY_SERVER_LISTEN_PORT=str(proxy.port),
    )
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert str(proxy.port) in done.stderr


def test_a_proxy_whose_port_is_taken_is_not_mistaken_for_the_one_that_has_it(
    short_tmp: Path, proxy: ProxyProcess, server: Server
) -> None:
    """Two demos that were started at once cloned through one proxy."""
    with pytest.raises(PgError) as refused:
        ProxyProcess(short_tmp, server.conninfo(), port=proxy.port).start()
    assert TAKEN in refused.value.detail


@pytest.mark.parametrize(("host", "named"), [("127.0.0.1", "127.0.0.1:"), ("127.0.0.2", ".s.PGSQL.")])
def test_an_address_in_use_is_named_and_the_unix_socket_left_alone(
    short_tmp: Path, proxies: Proxies, server: Server, host: str, named: str
) -> None:
    """A proxy that found the port taken removed the unix socket of the one that had it."""
    running = proxies.start(server.conninfo())
    done = run(
        "serve",
        directory=short_tmp,
        DATABASE_URL=f"postgresql://127.0.0.1:{server.port}/postgres",
        PGCLONE_PROXY_SERVER_LISTEN_PORT=str(running.port),
        PGCLONE_PROXY_SERVER_LISTEN_HOST=host,
        PGCLONE_PROXY_SERVER_UNIX_SOCKET_DIR=str(running.directory),
    )
    assert done.returncode == 2
    assert named in done.stderr
    psycopg.connect(running.conninfo(by_socket=True)).close()


def test_a_socket_left_by_a_killed_proxy_is_taken_over(proxies: Proxies, server: Server) -> None:
    proxy = proxies.start(server.conninfo())
    proxy.kill()
    assert list(proxy.directory.glob(".s.PGSQL.*"))
    proxy.start()
    assert proxy.stop() == 0
    assert not list(proxy.directory.glob(".s.PGSQL.*"))


def test_a_server_leaves_the_socket_of_a_proxy_alone_and_a_proxy_that_of_a_server(
    short_tmp: Path, servers: Servers, server: Server
) -> None:
    """A server that started removed the proxy's and bound its own."""
    place = servers.directory / "taken"
    place.mkdir()
    sections = {"server": {"listen_host": "127.0.0.2", "unix_socket_dir": str(place)}}
    with ProxyProcess(place, server.conninfo(), sections) as running:
        other = Server(servers.usual, place, port=running.port)
        with pytest.raises(PgError) as refused:
            other.start()
        assert f'"{place}/.s.PGSQL.{running.port}.lock"' in refused.value.detail
        psycopg.connect(running.conninfo(by_socket=True)).close()
    other.start()
    try:
        done = run("serve", "-c", str(running.config_path), directory=short_tmp)
        assert done.returncode == 2
        assert f"process {(other.data / 'postmaster.pid').read_text().split()[0]} has it" in done.stderr
        psycopg.connect(other.conninfo(by_socket=True)).close()
    finally:
        other.stop()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_with_exit_code_0(proxies: Proxies, server: Server, how: signal.Signals) -> None:
    assert proxies.start(server.conninfo()).stop(how) == 0


def test_a_second_proxy_on_the_same_store_is_refused(short_tmp: Path, proxies: Proxies, server: Server) -> None:
    running = proxies.start(server.conninfo())
    done = run(
        "serve",
        directory=short_tmp,
        DATABASE_URL=f"postgresql://127.0.0.1:{server.port}/postgres",
        PGCLONE_PROXY_SERVER_LISTEN_PORT=str(free_port()),
        PGCLONE_PROXY_SERVER_UNIX_SOCKET_DIR=str(short_tmp),
        PGCLONE_PROXY_JOBS_STORE=str(running.directory / "jobs.sqlite"),
    )
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1, done.stderr


def test_check_config_names_the_target_without_its_password(short_tmp: Path) -> None:
    done = run("check-config", directory=short_tmp, DATABASE_URL="postgresql://u:canary@db.example:6000/x")
    assert (done.returncode, done.stderr) == (0, "")
    assert "db.example:6000" in done.stdout
    assert "canary" not in done.stdout


def test_check_config_looks_at_the_key(short_tmp: Path) -> None:
    key = short_tmp / "pgclone-proxy.sqlite.key"
    assert run("check-config", directory=short_tmp, DATABASE_URL="host=h").returncode == 0
    assert not key.exists()
    key.touch(mode=0o600)
    done = run("check-config", directory=short_tmp, DATABASE_URL="host=h")
    assert done.returncode == 2
    assert "holds no key" in done.stderr


def test_named_sources_have_their_secrets_from_the_environment(short_tmp: Path) -> None:
    (short_tmp / "c.toml").write_text('[source.prod]\nconninfo = "host=h"\npassword_file = "nosuch"\n')
    given = {"DATABASE_URL": "host=h", "PGCLONE_PROXY_SOURCE_PROD_PASSWORD": "canary"}
    done = run("check-config", "-c", "c.toml", directory=short_tmp, **given)
    assert (done.returncode, done.stderr) == (0, "")
    given["PGCLONE_PROXY_SOURCE_OTHER_PASSWORD"] = "canary"
    done = run("check-config", "-c", "c.toml", directory=short_tmp, **given)
    assert done.returncode == 2
    assert "PGCLONE_PROXY_SOURCE_OTHER_PASSWORD names no setting" in done.stderr
    assert "canary" not in done.stderr


def test_the_environment_goes_before_the_file(short_tmp: Path) -> None:
    (short_tmp / "c.toml").write_text('[server]\ntarget = "host=file.example"\n')
    done = run("check-config", "-c", "c.toml", directory=short_tmp, PGCLONE_PROXY_SERVER_TARGET="host=env.example")
    assert "env.example" in done.stdout
    unknown = run("check-config", "-c", "c.toml", directory=short_tmp, PGCLONE_PROXY_SERVER_TRAGET="x")
    assert unknown.returncode == 2
    assert "PGCLONE_PROXY_SERVER_TRAGET" in unknown.stderr
