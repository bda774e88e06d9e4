"""Pipelines, COPY and transactions around statements of ours: the same order of messages as without them.

Each conversation is held twice: with the server, where OURS is `SELECT 1`, and through the proxy, where it is an
action or a read of ours.  Types of messages, tags, errors and transaction status must be the same.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator

import pytest

from clone_engine.running.copy_stream import frames
from proxy.embedded import SUPERUSER, Server
from tests.harness.proxies import Proxies, ProxyProcess, connect
from tests.harness.servers import Database
from tests.harness.waiting import wait_until
from tests.harness.wire import Client, bind, execute, message, parse, query, startup
from tests.integration.test_relay import MEMORY_LIMIT, peak_memory

SYNC = message(b"S")
CLOSE = message(b"C", b"Ss\0")
DATA, DONE, FAIL = message(b"d", b"1\n"), message(b"c"), message(b"f", b"no more\0")
# An action and a read; both give one column.
OURS = {"action": "SELECT pgclone_clear_jobs()", "read": "SELECT count(*) FROM pgclone_jobs_view"}


def step(*statements: str) -> bytes:
    """Statements in the extended protocol, without Sync."""
    return b"".join(parse(each) + bind() + execute() for each in statements)


# What is sent before each wait for ReadyForQuery; OURS stands for the statement.
CONVERSATIONS: dict[str, list[bytes]] = {
    "alone": [step("OURS") + SYNC],
    "between others": [step("SELECT 2", "OURS", "SELECT 3") + SYNC],
    "behind an error": [step("SELECT 1/0", "OURS") + SYNC, query("SELECT 2")],
    "before an error": [step("OURS", "SELECT 1/0", "SELECT 2") + SYNC, query("SELECT 2")],
    "in a block of the pipeline": [step("BEGIN", "OURS", "COMMIT", "OURS") + SYNC],
    "before a block that stays open": [step("OURS", "BEGIN", "SELECT 2") + SYNC, query("COMMIT")],
    "before a block that ends": [step("OURS", "BEGIN", "SELECT 2", "COMMIT", "OURS") + SYNC],
    "before a block that fails": [step("OURS", "BEGIN", "SELECT 1/0") + SYNC, query("ROLLBACK")],
    "behind ROLLBACK": [query("BEGIN"), step("ROLLBACK", "OURS") + SYNC],
    "behind COMMIT": [query("BEGIN"), step("COMMIT", "OURS") + SYNC],
    "behind COMMIT AND CHAIN": [query("BEGIN"), step("COMMIT AND CHAIN", "OURS") + SYNC, query("COMMIT")],
    "behind ROLLBACK of a failed transaction": [query("BEGIN"), query("SELECT 1/0"), step("ROLLBACK", "OURS") + SYNC],
    "behind ROLLBACK TO in a failed transaction": [
        query("BEGIN; SAVEPOINT s"), query("SELECT 1/0"), step("ROLLBACK TO s", "OURS") + SYNC, query("COMMIT"),
    ],
    "behind ROLLBACK TO": [step("BEGIN", "SAVEPOINT s", "ROLLBACK TO s", "OURS") + SYNC, query("COMMIT")],
    "in a failed transaction": [query("BEGIN"), query("SELECT 1/0"), step("OURS") + SYNC, query("ROLLBACK")],
    "in a failed transaction, simple": [query("BEGIN"), query("SELECT 1/0"), query("OURS"), query("ROLLBACK")],
    "a string with a COMMIT and a BEGIN": [query("OURS; COMMIT; BEGIN; OURS"), query("COMMIT")],
    "a string with a ROLLBACK and a BEGIN": [query("OURS; ROLLBACK; BEGIN; SELECT 1/0"), query("ROLLBACK")],
    "a string with a BEGIN": [query("OURS; BEGIN; SELECT 2"), query("COMMIT")],
    "a string with a BEGIN that fails": [query("OURS; BEGIN ISOLATION LEVEL SERIALIZABLE; OURS"), query("SELECT 2")],
    "a Query that the server skips": [step("OURS", "SELECT 1/0") + query("SELECT 2") + SYNC, query("SELECT 2")],
    "a Query of ours that the server skips": [step("OURS", "SELECT 1/0") + query("OURS") + SYNC, query("OURS")],
    "a COMMIT that fails at Sync": [
        query("CREATE TEMP TABLE d (i int UNIQUE DEFERRABLE INITIALLY DEFERRED)"),
        step("OURS", "INSERT INTO d VALUES (1), (1)") + SYNC, query("SELECT 2"),
    ],
    "behind a COPY that the server has given up": [
        query("CREATE TEMP TABLE t (i int)"), query("COPY t FROM STDIN") + message(b"d", b"x\n"),
        DATA + DONE + query("OURS"), step("OURS") + SYNC,
    ],
    "behind a COPY that never began": [query("COPY missing FROM STDIN") + DATA + DONE, query("OURS")],
    "behind a COPY that the client has given up": [
        query("CREATE TEMP TABLE t (i int)"), query("COPY t FROM STDIN") + DATA + FAIL, query("OURS"),
    ],
    "before a COPY in one string": [
        query("CREATE TEMP TABLE t (i int)"), query("OURS; COPY t FROM STDIN; TABLE t") + DATA * 3 + DONE,
        query("TABLE t"),
    ],
    "before a COPY that fails in one string": [
        query("CREATE TEMP TABLE t (i int)"), query("OURS; COPY t FROM STDIN; TABLE t") + DATA + FAIL, query("TABLE t"),
    ],
    "before a COPY in a pipeline": [
        query("CREATE TEMP TABLE t (i int)"), step("OURS", "COPY t FROM STDIN") + SYNC + DATA + DONE + SYNC,
        query("TABLE t"),
    ],
    "a Close that the server skips": [
        parse("OURS", "s") + SYNC, step("SELECT 1/0") + CLOSE + SYNC, bind("", "s") + execute() + SYNC,
    ],
    "a Close that the server skips behind an error not read yet": [
        parse("OURS", "s") + SYNC, CLOSE + step("SELECT 1/0") + parse("OURS", "s") + SYNC, bind("", "s") + SYNC,
    ],
    "a Parse that the server skips": [
        parse("OURS", "s") + SYNC, step("SELECT 1/0") + CLOSE + parse("SELECT 5", "s") + SYNC,
        bind("", "s") + execute() + SYNC,
    ],
    "a Parse of a name that is taken": [
        parse("SELECT 5", "s") + SYNC, parse("OURS", "s") + SYNC, bind("", "s") + execute() + SYNC,
    ],
    "a portal closed by a message that the server skips": [
        query("BEGIN"), parse("OURS", "s") + bind("p", "s") + SYNC, query("SAVEPOINT a"),
        step("SELECT 1/0") + message(b"C", b"Pp\0") + bind("p", "s") + SYNC, query("ROLLBACK TO a"),
        execute("p") + SYNC, query("COMMIT"),
    ],
    "a portal closed in SQL": [
        query("BEGIN"), parse("OURS", "s") + bind("p", "s") + step("CLOSE p") + execute("p") + SYNC, query("ROLLBACK"),
    ],
    "a portal closed with its savepoint": [
        query("BEGIN; SAVEPOINT a"), parse("OURS", "s") + bind("p", "s") + SYNC, query("ROLLBACK TO a"),
        execute("p") + SYNC, query("ROLLBACK"),
    ],
    "a portal closed with its transaction, in a pipeline": [
        step("BEGIN") + parse("OURS", "s") + bind("p", "s") + step("COMMIT", "BEGIN") + execute("p") + SYNC,
        query("ROLLBACK"),
    ],
    "a portal closed by Sync": [parse("OURS", "s") + bind("p", "s") + SYNC, execute("p") + SYNC, query("SELECT 2")],
    "a name given back in SQL": [
        parse("OURS", "s") + SYNC, query("DEALLOCATE s"), query("PREPARE s AS SELECT 5"),
        bind("", "s") + execute() + SYNC,
    ],
    "all names given back in SQL, by Parse": [
        parse("OURS", "s") + SYNC, step("DISCARD ALL") + SYNC, parse("SELECT 5", "s") + SYNC,
        bind("", "s") + execute() + SYNC,
    ],
    "a name not given back, since that failed": [
        parse("OURS", "s") + SYNC, query("BEGIN"), query("SELECT 1/0"), query("DEALLOCATE s"), query("ROLLBACK"),
        bind("", "s") + execute() + SYNC,
    ],
    "EXECUTE of what Parse has prepared": [
        parse("OURS", "s") + SYNC, query("EXECUTE s"), query("EXECUTE s; EXECUTE s"), query("DEALLOCATE s; EXECUTE s"),
    ],
    "PREPARE by Parse": [step("PREPARE p AS OURS") + SYNC, query("EXECUTE p"), query("DEALLOCATE p")],
    "a Query in the middle of a COPY": [
        query("CREATE TEMP TABLE t (i int)"), query("COPY t FROM STDIN") + query("OURS") + SYNC,
    ],
    "a Parse in the middle of a COPY": [
        query("CREATE TEMP TABLE t (i int)"), step("COPY t FROM STDIN", "OURS") + SYNC,
    ],
}  # fmt: skip


def told(client: Client, batches: list[bytes], ours: str) -> list[list[tuple[bytes, bytes]]]:
    """The replies to each batch: types, with what must be the same of their bodies."""
    replies = []
    for batch in batches:
        client.send(_with(batch, ours))
        said = client.until_ready()
        replies.append([(kind, _compared(kind, body)) for kind, body in said if kind not in b"NSD"])
    return replies


def _with(batch: bytes, ours: str) -> bytes:
    """The messages of a batch with OURS replaced and their lengths made right."""
    out, at = b"", 0
    while at < len(batch):
        end = at + 1 + int.from_bytes(batch[at + 1 : at + 5], "big")
        out += message(batch[at : at + 1], batch[at + 5 : end].replace(b"OURS", ours.encode()))
        at = end
    return out


def _compared(kind: bytes, body: bytes) -> bytes:
    if kind == b"E":
        return next(field for field in body.split(b"\0") if field.startswith(b"C"))
    return body if kind in b"CZ" else b""


@pytest.mark.parametrize("ours", OURS)
@pytest.mark.parametrize("name", CONVERSATIONS)
def test_the_order_of_messages_is_the_server_s(server: Server, proxy: ProxyProcess, name: str, ours: str) -> None:
    with Client("127.0.0.1", server.port, SUPERUSER, "postgres") as direct:
        expected = told(direct, CONVERSATIONS[name], "SELECT 1")
    with Client("127.0.0.1", proxy.port, SUPERUSER, "postgres") as client:
        assert told(client, CONVERSATIONS[name], OURS[ours]) == expected
    assert "session failed" not in proxy.log()


def test_a_query_behind_a_pipeline_hears_that_its_commit_failed(proxy: ProxyProcess) -> None:
    with Client("127.0.0.1", proxy.port, SUPERUSER, "postgres") as client:
        client.send(query("CREATE TEMP TABLE d (i int UNIQUE DEFERRABLE INITIALLY DEFERRED)"))
        client.until_ready()
        client.send(step(OURS["action"], "INSERT INTO d VALUES (1), (1)") + query("SELECT 2"))
        assert [kind for kind, _ in client.until_ready()][-2:] == [b"E", b"Z"]
        client.send(query("SELECT 2"))
        assert client.until_ready()[-1] == (b"Z", b"I")


def test_a_begin_behind_an_action_warns_only_where_the_server_would(server: Server, proxy: ProxyProcess) -> None:
    warnings = []
    for port, ours in ((server.port, "SELECT 1"), (proxy.port, OURS["action"])):
        with Client("127.0.0.1", port, SUPERUSER, "postgres") as client:
            client.send(step(ours, "BEGIN", "BEGIN", "COMMIT", ours) + SYNC)
            said = client.until_ready()
            known = [body for kind, body in said if kind == b"C" or (kind == b"N" and b"\0C25001\0" in body)]
            warnings.append([body[:3] for body in known])
    assert warnings[0] == warnings[1] == [b"SEL", b"BEG", b"SWA", b"BEG", b"COM", b"SEL"]


def test_names_that_look_like_hidden_ones_are_the_client_s(proxy: ProxyProcess) -> None:
    names = [f"pgclone_proxy_{number}" for number in range(1, 30)]
    with Client("127.0.0.1", proxy.port, SUPERUSER, "postgres") as client:
        taken = b"".join(parse("SELECT 5", name) + bind(name, name) for name in names)
        client.send(query("BEGIN") + taken + step(OURS["action"]) + SYNC)
        client.until_ready()
        assert client.until_ready()[-2:] == [(b"C", b"SELECT 1\0"), (b"Z", b"T")]


def test_a_read_that_sql_has_prepared_is_bound_and_described_as_usual(proxy: ProxyProcess) -> None:
    with Client("127.0.0.1", proxy.port, SUPERUSER, "postgres") as client:
        client.send(query(f"PREPARE p (text) AS SELECT ({OURS['read']}), $1"))
        assert client.until_ready()[0] == (b"C", b"PREPARE\0")
        for _ in range(2):
            client.send(message(b"D", b"Sp\0") + bind("", "p", b"given") + execute() + SYNC)
            said = [each for each in client.until_ready() if each[0] != b"N"]
            assert [kind for kind, _ in said] == [b"t", b"T", b"2", b"D", b"C", b"Z"]
            assert said[0][1] == b"\0\1\0\0\0\x19"
            assert said[3][1] == b"\0\2\0\0\0\x010\0\0\0\5given"
        client.send(query("DEALLOCATE p"))
        client.until_ready()
        client.send(bind("", "p", b"given") + execute() + SYNC)
        assert b"C26000" in client.until_ready()[0][1]


def test_an_action_that_sql_has_prepared_is_not_bound(proxy: ProxyProcess) -> None:
    with Client("127.0.0.1", proxy.port, SUPERUSER, "postgres") as client:
        client.send(query(f"PREPARE p AS {OURS['action']}"))
        client.until_ready()
        client.send(bind("", "p") + execute() + SYNC)
        (error, ready) = client.until_ready()
        assert b"C0A000" in error[1]
        assert ready == (b"Z", b"I")
        client.send(query("EXECUTE p"))
        assert [kind for kind, _ in client.until_ready() if kind != b"N"] == [b"T", b"D", b"C", b"Z"]


def test_a_copy_that_was_parsed_once_shows_the_jobs_of_each_bind(proxy: ProxyProcess) -> None:
    copy = "COPY (SELECT count(*), (SELECT max(i) FROM kept) FROM pgclone_jobs_view) TO STDOUT"
    run = bind("", "c") + message(b"D", b"P\0") + execute() + SYNC
    with Client("127.0.0.1", proxy.port, SUPERUSER, "postgres") as client:
        client.send(query("CREATE TEMP TABLE kept AS SELECT 5 i"))
        client.until_ready()
        client.send(parse(copy, "c") + run)
        said = client.until_ready()
        assert [kind for kind, _ in said] == [b"1", b"2", b"n", b"H", b"d", b"c", b"C", b"Z"]
        before, kept = said[4][1].split()
        assert kept == b"5"
        client.send(query("SELECT pgclone_schema_async('host=127.0.0.1 port=1', 's')"))
        client.until_ready()
        client.send(run)
        assert client.until_ready()[3][1].split()[0] == b"%d" % (int(before) + 1)
        client.send(query("ALTER TABLE kept RENAME TO gone"))
        client.until_ready()
        client.send(run)
        error, ready = client.until_ready()[-2:]
        assert b"C42P01" in error[1]
        assert b"P%d\0" % (copy.index("kept") + 1) in error[1]
        assert ready == (b"Z", b"I")
        client.send(query("ALTER TABLE gone RENAME TO kept"))
        client.until_ready()
        client.send(run)
        assert [kind for kind, _ in client.until_ready()] == [b"2", b"n", b"H", b"d", b"c", b"C", b"Z"]
    with connect(proxy) as connection:  # other tests count jobs
        wait_until(lambda: connection.execute(OURS["action"].encode()).fetchone() == (1,), what="the job to end")


def test_a_backend_that_ends_in_a_hidden_command_tells_the_client(proxy: ProxyProcess) -> None:
    statement = f"SELECT ({OURS['action']}), pg_terminate_backend(pg_backend_pid())"
    for sent in (query(statement), step(statement) + SYNC):
        with Client("127.0.0.1", proxy.port, SUPERUSER, "postgres") as client:
            client.send(sent)
            assert b"C57P01" in client.until_ready()[-1][1]
            assert client.closed
        with connect(proxy) as connection:
            connection.execute("SELECT 1")
        assert "session failed" not in proxy.log()


def test_what_the_session_has_set_does_not_spoil_an_answer(proxy: ProxyProcess) -> None:
    with connect(proxy) as connection:
        for name in ("n", "k", "log"):
            connection.execute(f"SET pgclone_proxy.{name} = 'anything'".encode())
        assert connection.execute(OURS["action"].encode()).fetchone() == (0,)
        with connection.transaction():
            assert connection.execute(OURS["action"].encode(), prepare=True).fetchone() == (0,)
            assert connection.execute(OURS["action"].encode()).fetchone() == (0,)


def test_what_is_sent_with_the_start_up_packet_is_answered_before_what_follows(proxy: ProxyProcess) -> None:
    ready = b"Z\0\0\0\5I"
    with socket.create_connection(("127.0.0.1", proxy.port), 10) as raw:
        raw.sendall(startup(SUPERUSER, "postgres") + query("SELECT 'early', pg_sleep(0.3)"))
        said = b""
        while ready not in said:
            said += raw.recv(1 << 16)
        raw.sendall(query(f"SELECT 'late', ({OURS['read']})"))
        while said.count(ready) < 3:
            received = raw.recv(1 << 16)
            assert received
            said += received
    assert 0 < said.find(b"early") < said.find(b"late")


def test_a_statement_of_ours_that_comes_with_the_start_up_packet_is_not_overtaken(proxy: ProxyProcess) -> None:
    with socket.create_connection(("127.0.0.1", proxy.port), 10) as raw:
        raw.sendall(startup(SUPERUSER, "postgres") + b"".join(map(query, (OURS["read"], "SELECT 'b'", "SELECT 'c'"))))
        said = b""
        while said.count(b"Z\0\0\0\5I") < 4:
            received = raw.recv(1 << 16)
            assert received
            said += received
    rows = [body for kind, body in frames(said) if kind == b"D"]
    assert [row[-1:] for row in rows[1:]] == [b"b", b"c"]


def test_a_refused_hidden_command_is_the_client_s_error(proxy: ProxyProcess, database: Database) -> None:
    with (
        database.connect() as locker,
        Client("127.0.0.1", proxy.port, SUPERUSER, database.name) as client,
        locker.transaction(),
    ):
        client.send(query("SET statement_timeout = '200ms'"))
        client.until_ready()
        # The proxy asks whose the name is, and cannot be told.
        locker.execute("LOCK pg_proc IN ACCESS EXCLUSIVE MODE")
        for sent in (query(OURS["action"]), step(OURS["action"]) + SYNC):
            client.send(sent)
            said = client.until_ready()
            assert said[-1] == (b"Z", b"I")
            assert [b"C57014" in body for kind, body in said if kind == b"E"] == [True]


@pytest.mark.parametrize("extended", [False, True])
def test_a_long_statement_of_ours_is_answered_in_its_turn(proxy: ProxyProcess, extended: bool) -> None:
    values = ", ".join(f"({i}, 'row {i}')" for i in range(9000))
    statement = f"SELECT count(*), ({OURS['action']}), '{'x' * (1 << 20)}' IS NULL FROM (VALUES {values}) v"
    pipeline = [statement, "SELECT 'next'"]
    with Client("127.0.0.1", proxy.port, SUPERUSER, "postgres") as client:
        client.send(step(*pipeline) + SYNC if extended else b"".join(map(query, pipeline)))
        rows = [body for kind, body in client.until_ready() if kind == b"D"]
        rows += [] if extended else [body for kind, body in client.until_ready() if kind == b"D"]
        assert re.fullmatch(b"\0\3\0\0\0\x049000\0\0\0\x01\\d\0\0\0\x01f", rows[0])
        assert rows[1:] == [b"\0\1\0\0\0\x04next"]


@pytest.fixture
def fresh_proxy(server: Server, proxies: Proxies) -> Iterator[ProxyProcess]:
    """A proxy whose memory nothing else has used."""
    yield proxies.start(server.conninfo())


@pytest.mark.parametrize("extended", [False, True])
def test_a_very_long_statement_flows_through(fresh_proxy: ProxyProcess, extended: bool) -> None:
    size = 64 << 20
    statement = f"SELECT length('{'x' * size}') /* pgclone_version() */"
    with Client("127.0.0.1", fresh_proxy.port, SUPERUSER, "postgres") as client:
        client.send(step(statement) + SYNC if extended else query(statement))
        assert [body[6:] for kind, body in client.until_ready() if kind == b"D"] == [str(size).encode()]
        client.send(query(OURS["read"]))
        assert client.until_ready()[-1] == (b"Z", b"I")
    assert peak_memory(fresh_proxy) < MEMORY_LIMIT


def test_a_client_that_reads_nothing_before_a_statement_of_ours_needs_little_memory(
    server: Server, fresh_proxy: ProxyProcess
) -> None:
    rows = 300_000
    with Client("127.0.0.1", fresh_proxy.port, SUPERUSER, "postgres") as client:
        client.send(query(f"SELECT repeat('x', 1000) FROM generate_series(1, {rows})") + query(OURS["read"]))
        postgres = Database(server, "postgres")
        waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'ClientWrite'"
        wait_until(lambda: postgres.rows(waiting), 20, "back-pressure")
        assert peak_memory(fresh_proxy) < MEMORY_LIMIT
        assert sum(kind == b"D" for kind, _ in client.until_ready()) == rows
        assert client.until_ready()[-1] == (b"Z", b"I")
        assert peak_memory(fresh_proxy) < MEMORY_LIMIT


@pytest.mark.parametrize("extended", [False, True])
@pytest.mark.parametrize(
    ("cursor", "fails"), [("CURSOR", "FETCH c"), ("CURSOR WITH HOLD", "COMMIT")], ids=["at FETCH", "at COMMIT"]
)
def test_an_unknown_job_that_a_cursor_comes_to_is_said_in_our_words(
    proxy: ProxyProcess, cursor: str, fails: str, extended: bool
) -> None:
    # The server runs into it in a statement that does not name us: it was forwarded as it came, and so was the error.
    statements = ["BEGIN", f"DECLARE c {cursor} FOR SELECT pgclone_progress(999999)", fails]
    with Client("127.0.0.1", proxy.port, SUPERUSER, "postgres") as client:
        for statement in statements:
            client.send(step(statement) + SYNC if extended else query(statement))
            said = client.until_ready()
        (error,) = (body for kind, body in said if kind == b"E")
        assert b"CP0002\0" in error
        assert b"job 999999 not found" in error
        client.send(query("ROLLBACK") + query("SELECT 'pgclone'::jsonb"))
        client.until_ready()
        assert b"C22P02\0" in client.until_ready()[0][1]
