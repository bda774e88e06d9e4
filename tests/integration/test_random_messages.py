"""Messages in any order, good and broken, with and without what is ours: the server says the same through the proxy.

What is sent ends with Terminate, so that everything has been answered when the connection ends.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.embedded import SUPERUSER, Server
from proxy.launch import ProxyProcess
from tests.harness.wire import Client, bind, execute, message, parse, query
from tests.integration.test_conversations import told

SYNC, FLUSH = message(b"S"), message(b"H")
END = b"".join(
    (SYNC, message(b"f", b"the end\0"), SYNC, query("ROLLBACK"), query("SELECT 'the end', OURS IS NULL"), message(b"X"))
)
"""Whatever came before: it ends a skipping, a COPY and a transaction."""

GOOD = (
    query("SELECT OURS IS NULL"), query("SELECT 1"), query(""), query("BEGIN"), query("COMMIT"), query("ROLLBACK"),
    query("SELECT 1/0"), query("SELECT OURS IS NULL; SELECT 1/0; SELECT 2"), query("COPY (SELECT 1) TO STDOUT"),
    query("SAVEPOINT a"), query("DISCARD ALL"),
    query("PREPARE q AS SELECT OURS IS NULL"), query("EXECUTE q"), query("DEALLOCATE ALL"),
    parse("SELECT OURS IS NULL"), parse("SELECT OURS IS NULL, $1::text", "s"), parse("SELECT 1", "s"),
    parse("SELECT OURS IS NULL FROM generate_series(1, 3)", "s"), parse("SELECT OURS +", "s"), parse("", "s"),
    parse("EXECUTE q", "s"),
    bind(), bind("", "s"), bind("p", "s"), bind("", "s", b"1"), bind("p", "s", None), bind("", "q"),
    message(b"D", b"Ss\0"), message(b"D", b"P\0"), message(b"D", b"Pp\0"), message(b"D", b"S\0"),
    execute(), execute("p"), execute("p", 1), execute("", 2),
    message(b"C", b"Ss\0"), message(b"C", b"Pp\0"), message(b"C", b"P\0"),
    SYNC, SYNC, FLUSH, message(b"d", b"x\n"), message(b"c"), message(b"f", b"no\0"),
)  # fmt: skip
BROKEN = (
    message(b"B", b"\0"), message(b"B", b"\0s\0\0\1\0\7\0\0\0\0"), message(b"P", b"s\0SELECT OURS"), message(b"D"),
    message(b"D", b"Xs\0"), message(b"C", b"S"), message(b"E", b"p"), message(b"E"), message(b"Q", b"SELECT OURS"),
    message(b"F", b"\0\0\0\1"), message(b"S", b"x"),
)  # fmt: skip
"""None that ends the session, as most do while the server reads COPY data: what the server has not read resets the
connection then, and what it has said may be lost."""
MESSAGES = st.lists(st.one_of(st.sampled_from(GOOD), st.sampled_from(GOOD), st.sampled_from(BROKEN)), max_size=14)
QUERY = b"Q"
OTHER, OURS = "version()", "pgclone_version()"


def said(port: int, sent: bytes, name: str) -> list[tuple[bytes, bytes]]:
    with Client("127.0.0.1", port, SUPERUSER, "postgres") as client:
        replies = told(client, [sent], name)[0]
        while not client.closed:
            replies += told(client, [b""], name)[0]
        return replies


@pytest.mark.parametrize("examples", [150, pytest.param(5000, marks=pytest.mark.long)])
def test_the_server_is_in_step(server: Server, proxy: ProxyProcess, examples: int) -> None:
    @given(MESSAGES)
    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    def same(messages: list[bytes]) -> None:
        # A Query within a pipeline finds the transaction in another state where we have asked something there.
        sent = b"".join(SYNC + each if each.startswith(QUERY) else each for each in messages) + END
        assert said(proxy.port, sent, OURS) == said(server.port, sent, OTHER)

    same()
    assert "Traceback" not in proxy.log()
