"""Replication connections: PostgreSQL's own programs and servers on the other side of the proxy.

What the streams hold is PostgreSQL's business; shown is that they start, flow both ways and end from both sides, and
that a name of ours means nothing in them.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from struct import pack

import pytest

from proxy.embedded import SUPERUSER, Server
from proxy.installations import private_directory, server_account
from proxy.launch import ProxyProcess, clean_environment
from tests.harness.servers import TEST_SETTINGS, Database, fresh_database
from tests.harness.waiting import wait_until
from tests.harness.wire import Client, bind, execute, message, parse, query

SECONDS = 60
SLOTS = "SELECT 1 FROM pg_replication_slots WHERE slot_name = '{}' AND active"
HERE = "pg_current_wal_insert_lsn()"


def run(server: Server, program: str, *arguments: str | Path) -> None:
    """Run one of the server's programs; AssertionError with what it says if it fails."""
    command: list[str | Path] = [server.installation.program(program), *arguments]
    done = subprocess.run(
        command, env=clean_environment({}), capture_output=True, text=True, check=False, timeout=SECONDS
    )
    assert done.returncode == 0, f"{program}: {done.stderr}"


@contextmanager
def running(server: Server, program: str, *arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    """The same beside the test; it is killed if it has not ended by itself."""
    command: list[str | Path] = [server.installation.program(program), *arguments]
    process = subprocess.Popen(command, env=clean_environment({}), stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@contextmanager
def slot(database: Database, name: str, plugin: str = "") -> Iterator[str]:
    """A replication slot: a physical one without `plugin`."""
    made = f"create_logical_replication_slot('{name}', '{plugin}')" if plugin else None
    database.execute(f"SELECT pg_{made or f'''create_physical_replication_slot('{name}')'''}")
    try:
        yield name
    finally:
        wait_until(lambda: not database.rows(SLOTS.format(name)), what="the slot to be free")
        database.execute(f"SELECT pg_drop_replication_slot('{name}')")


@contextmanager
def published(database: Database) -> Iterator[None]:
    """A table with a row, in the publication `news`."""
    database.execute("CREATE TABLE t (id int PRIMARY KEY, a text); INSERT INTO t VALUES (1, 'early')")
    database.execute("CREATE PUBLICATION news FOR TABLE t")
    yield


@pytest.fixture
def publisher(database: Database) -> Iterator[Database]:
    """A database with a table t in the publication `news`."""
    with published(database):
        yield database


# --- physical ---------------------------------------------------------------------------------------------------------


def test_a_base_backup_is_a_standby_that_streams_through_the_proxy(
    server: Server, proxy: ProxyProcess, database: Database
) -> None:
    database.execute("CREATE TABLE t AS SELECT generate_series(1, 1000) AS g")
    with private_directory() as directory:
        standby = Server(server.installation, directory / "standby", settings=TEST_SETTINGS)
        standby.directory.mkdir()
        connection = proxy.conninfo("replication")
        run(
            server,
            "pg_basebackup",
            "-d",
            connection,
            "-D",
            standby.data,
            "-X",
            "stream",
            "-c",
            "fast",
            "-R",
            "--no-sync",
        )
        if account := server_account():
            for path in (standby.directory, *standby.directory.rglob("*")):
                os.chown(path, *account, follow_symlinks=False)
        with standby:
            copy = Database(standby, database.name)
            assert copy.value("SELECT count(*) FROM t") == 1000
            database.execute("INSERT INTO t VALUES (0)")
            wait_until(lambda: copy.rows("SELECT 1 FROM t WHERE g = 0"), 30, "the standby to follow")
            assert f"port={proxy.port} " in copy.value("SELECT conninfo || ' ' FROM pg_stat_wal_receiver")


@pytest.mark.parametrize("wal", ["fetch", "none"])
def test_a_base_backup_as_tar(server: Server, proxy: ProxyProcess, tmp_path: Path, wal: str) -> None:
    place = tmp_path / "backup"
    connection = proxy.conninfo("replication")
    run(server, "pg_basebackup", "-d", connection, "-D", place, "-F", "tar", "-X", wal, "-c", "fast", "--no-sync")
    assert {"base.tar", "backup_manifest"} <= {path.name for path in place.iterdir()}


def test_wal_is_received(server: Server, proxy: ProxyProcess, database: Database, tmp_path: Path) -> None:
    """Synchronously, which sends word of each flush back; the client ends it with a CopyDone."""
    with slot(database, "received") as name:
        end = database.value(f"SELECT {HERE}::text FROM pg_create_restore_point('here')")
        arguments = ["--slot", name, "--synchronous", "--no-loop", "--endpos", end]
        with running(
            server, "pg_receivewal", "-d", proxy.conninfo("replication"), "-D", tmp_path, *arguments
        ) as receiving:
            wait_until(lambda: database.rows(SLOTS.format(name)) or receiving.poll() is not None, 30, "the stream")
            database.execute("SELECT pg_switch_wal()")
            assert receiving.wait(SECONDS) == 0
    assert any(path.stat().st_size == 16 << 20 for path in tmp_path.iterdir())


# --- logical ----------------------------------------------------------------------------------------------------------


def test_changes_are_received_and_the_client_ends_it(
    server: Server, proxy: ProxyProcess, publisher: Database, tmp_path: Path
) -> None:
    """Word of what has been flushed goes back all the time (--status-interval)."""
    changes = tmp_path / "changes"
    options = ["-P", "pgoutput", "-o", "proto_version=1", "-o", "publication_names=news", "--status-interval", "1"]
    arguments = [*options, "--no-loop", "-d", proxy.conninfo(publisher.name), "-S", "followed", "-f", changes]
    run(server, "pg_recvlogical", *arguments, "--create-slot")
    with running(server, "pg_recvlogical", *arguments, "--start") as receiving:
        publisher.execute("INSERT INTO t VALUES (2, 'pgclone_jobs_view')")
        wait_until(lambda: changes.exists() and b"pgclone_jobs_view" in changes.read_bytes(), 30, "the change")
        receiving.send_signal(signal.SIGINT)
        assert receiving.wait(SECONDS) == 0
    wait_until(lambda: not publisher.rows(SLOTS.format("followed")), what="the slot to be free")
    run(server, "pg_recvlogical", *arguments, "--drop-slot")


def test_a_walsender_that_is_terminated_ends_the_stream(
    server: Server, proxy: ProxyProcess, publisher: Database, tmp_path: Path
) -> None:
    with slot(publisher, "ended", "pgoutput") as name:
        options = ["-P", "pgoutput", "-o", "proto_version=1", "-o", "publication_names=news", "--no-loop"]
        connection = ["-d", proxy.conninfo(publisher.name), "-S", name, "-f", tmp_path / "changes"]
        with running(server, "pg_recvlogical", *options, *connection, "--start") as receiving:
            wait_until(lambda: publisher.rows(SLOTS.format(name)), 30, "the stream")
            publisher.execute(
                f"SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = '{name}'"
            )
            assert receiving.wait(SECONDS) != 0
            assert receiving.stderr is not None
            assert "terminating connection due to administrator command" in receiving.stderr.read()


def test_a_subscriber_follows_through_the_proxy(
    source_server: Server, proxy: ProxyProcess, publisher: Database
) -> None:
    """The rows that were there, those that come, and the slot that goes with the subscription."""
    with fresh_database(source_server, "subscriber") as subscriber:
        subscriber.execute("CREATE TABLE t (id int PRIMARY KEY, a text)")
        subscriber.execute(
            f"CREATE SUBSCRIPTION follows CONNECTION '{proxy.conninfo(publisher.name)}' PUBLICATION news"
        )
        try:
            wait_until(lambda: subscriber.rows("SELECT 1 FROM t WHERE a = 'early'"), 30, "the rows that were there")
            publisher.execute("INSERT INTO t VALUES (2, 'late'); UPDATE t SET a = 'changed' WHERE id = 1")
            wait_until(
                lambda: len(subscriber.rows("SELECT 1 FROM t WHERE a IN ('late', 'changed')")) == 2, 30, "changes"
            )
        finally:
            subscriber.execute("DROP SUBSCRIPTION follows")
    assert not publisher.rows("SELECT 1 FROM pg_replication_slots WHERE slot_name = 'follows'")


# --- message by message -----------------------------------------------------------------------------------------------

OF_OURS = {
    "a question": query("SELECT * FROM pgclone_jobs_view"),
    "an action": query("SELECT pgclone_table('host=x', 's', 't')"),
    "a call in the extended protocol": parse("SELECT pgclone_version()") + bind() + execute() + message(b"S"),
    "a slot": query("CREATE_REPLICATION_SLOT pgclone_jobs_view TEMPORARY LOGICAL nosuch"),
}


@pytest.mark.parametrize("name", OF_OURS)
def test_names_of_ours_mean_nothing_there(server: Server, proxy: ProxyProcess, name: str) -> None:
    def talk(port: int) -> list[tuple[bytes, bytes]]:
        with Client("127.0.0.1", port, SUPERUSER, "postgres", replication="database") as client:
            client.send(OF_OURS[name])
            return client.until_ready()

    assert talk(proxy.port) == talk(server.port)


@pytest.mark.parametrize("through", [False, True], ids=["direct", "through"])
@pytest.mark.parametrize("piece", [1, 1 << 20], ids=["byte by byte", "whole"])
def test_the_client_ends_a_stream_and_goes_on(
    server: Server, proxy: ProxyProcess, database: Database, through: bool, piece: int
) -> None:
    """CopyBothResponse, data both ways, CopyDone both ways, and the connection takes commands again."""
    begin = f"START_REPLICATION PHYSICAL {database.value(f'SELECT {HERE}::text')}"
    feedback = message(b"d", b"r" + pack("!QQQQB", 1, 1, 1, 0, 1))  # the last byte asks for an answer
    port = proxy.port if through else server.port
    with Client("127.0.0.1", port, SUPERUSER, "postgres", replication="true") as client:
        client.send(query(begin), piece)
        assert client.receive() == (b"W", b"\0\0\0")
        client.send(feedback, piece)
        while (answer := client.receive()) and answer[1][:1] != b"k":
            assert answer[:1] == (b"d",)
        assert answer is not None
        client.send(message(b"c") + query("SHOW wal_level"), piece)
        kinds = [kind for kind, _ in client.until_ready() + client.until_ready() if kind != b"d"]
        assert kinds == [b"c", b"C", b"C", b"Z", b"T", b"D", b"C", b"Z"]
