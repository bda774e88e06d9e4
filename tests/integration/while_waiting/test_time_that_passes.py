"""Timeouts, notifications and further messages, while a statement waits for its clone."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

import pytest

from proxy.embedded import SUPERUSER, Server
from proxy.installations import Installation, installations
from proxy.launch import ProxyProcess
from tests.harness.proxies import Proxies, connect
from tests.harness.servers import Database, Servers, fresh_database
from tests.harness.waiting import wait_until
from tests.harness.wire import Client, query
from tests.integration.test_relay import MEMORY_LIMIT, peak_memory
from tests.integration.while_waiting.watching import SYNC, Watch, held, step

TIMEOUT = 1000  # much more than a busy machine keeps the proxy waiting
SENT: dict[str, tuple[int, Callable[[str], bytes]]] = {
    "alone": (1, query),
    "in a block": (3, lambda call: query("BEGIN") + query(call) + query("COMMIT")),
    "in a string": (1, lambda call: query(f"SELECT 1; {call}; SELECT 2")),
    "alone, extended": (1, lambda call: step(call) + SYNC),
    "in a pipeline": (1, lambda call: step("SELECT 1") + step(call) + step("SELECT 2") + SYNC),
    "in a block, extended": (3, lambda call: step("BEGIN") + SYNC + step(call) + SYNC + step("COMMIT") + SYNC),
}
"""How often the server will be ready, and what is sent."""


@pytest.mark.parametrize("installation", installations(), ids=lambda each: str(each.major))
def test_the_server_s_timeouts_for_idle_sessions_do_not_end_it(
    servers: Servers, proxies: Proxies, source: Database, installation: Installation
) -> None:
    """Held far longer than these timeouts, each session goes on, and they are as they were."""
    settings = ["idle_in_transaction_session_timeout", *(["idle_session_timeout"] if installation.major >= 14 else [])]
    server = servers.get(installation)
    proxy = proxies.start(server.conninfo(), {"jobs": {"max_running": len(SENT)}})
    with fresh_database(server) as target, contextlib.ExitStack() as opened:
        watch = opened.enter_context(connect(proxy, target.name))
        clients = {how: opened.enter_context(Client("127.0.0.1", proxy.port, SUPERUSER, target.name)) for how in SENT}
        release = opened.enter_context(held(source))
        for how, client in clients.items():
            # All at once: before and behind the call the session is idle for no moment.
            before = query("; ".join(f"SET {name} = {TIMEOUT}" for name in settings))
            called = SENT[how][1](f"SELECT pgclone_table('{source.conninfo()}', 'public', 't', true, '{how}')")
            client.send(before + called + query(f"SHOW {settings[0]}"))
        long = f"SELECT count(*) FROM pgclone_jobs_view WHERE status = 'running' AND elapsed_ms > {2 * TIMEOUT}"
        wait_until(lambda: watch.execute(long.encode()).fetchone() == (len(SENT),), 30, "time to pass")
        release()
        for how, client in clients.items():
            client.until_ready()
            said = [each for _ in range(SENT[how][0]) for each in client.until_ready()]
            assert not [(how, body) for kind, body in said if kind == b"E"]
            assert any(kind == b"D" and body.endswith(b"\0\0\0\2OK") for kind, body in said)
            assert any(body.endswith(b"1s") for kind, body in client.until_ready() if kind == b"D")


def test_a_notification_reaches_the_client_meanwhile(
    proxy: ProxyProcess, source: Database, target_database: Database, call: str, watch: Watch
) -> None:
    with held(source) as release, Client("127.0.0.1", proxy.port, SUPERUSER, target_database.name) as client:
        client.send(query("LISTEN news"))
        client.until_ready()
        client.send(query(call))
        watch.wait_running()
        target_database.execute("NOTIFY news, 'hello'")
        kind, body = client.receive() or (b"", b"")
        assert kind == b"A" and body.endswith(b"news\0hello\0")
        release()
        assert client.until_ready()[-1] == (b"Z", b"I")


def test_much_that_is_sent_behind_waits_outside_and_other_sessions_go_on(
    proxies: Proxies, server: Server, source: Database, target_database: Database, call: str
) -> None:
    proxy = proxies.start(server.conninfo())
    watching = contextlib.closing(Watch(proxy, target_database.name))
    with (
        held(source) as release,
        watching as watch,
        Client("127.0.0.1", proxy.port, SUPERUSER, target_database.name) as client,
    ):
        client.send(query(call))
        behind = query("SELECT 'x' /*" + "y" * 50_000 + "*/") * 4000
        sender = threading.Thread(target=client.send, args=(behind,))
        sender.start()
        watch.wait_running()
        with connect(proxy, target_database.name) as other:
            assert other.execute("SELECT sum(i) FROM generate_series(1, 10) i").fetchone() == (55,)
            assert other.execute("SELECT status FROM pgclone_jobs_view").fetchone() == ("running",)
        release()
        answers = [client.until_ready() for _ in range(4001)]
        sender.join()
    assert any(kind == b"D" and body.endswith(b"OK") for kind, body in answers[0])
    assert [kind for kind, _ in answers[-1]] == [b"T", b"D", b"C", b"Z"]
    assert peak_memory(proxy) < MEMORY_LIMIT
