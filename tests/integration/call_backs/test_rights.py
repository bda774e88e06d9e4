"""For whom calls from the server act, and who learns what is in them."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator

import psycopg
import pytest

from proxy.embedded import Server
from proxy.launch import ProxyProcess
from tests.harness.proxies import Proxies, connect
from tests.harness.servers import PASSWORD, Database
from tests.harness.waiting import wait_until
from tests.integration.call_backs.calling import SOURCE, schemas, value
from tests.integration.with_stubs import database_with_stubs

ROLES = """
CREATE ROLE stubs_low; CREATE ROLE stubs_high LOGIN; GRANT stubs_low TO stubs_high;
CREATE FUNCTION smuggled(sql text) RETURNS text SECURITY DEFINER LANGUAGE plpgsql AS $$
    DECLARE answer text; BEGIN EXECUTE sql INTO answer; RETURN answer; END $$;
ALTER FUNCTION smuggled OWNER TO stubs_low;
CREATE FUNCTION forged(message text) RETURNS void LANGUAGE plpgsql AS $$
    BEGIN RAISE INFO USING ERRCODE = 'PGCAL', MESSAGE = 'x', DATATYPE = encode(message::bytea, 'base64'); END $$;
"""
WITHOUT_ROLES = "DROP FUNCTION smuggled, forged; DROP ROLE stubs_high, stubs_low"
FORGED = '{"number": %d, "secret": "%s", "function": "schema_async", "arguments": {"source_conninfo": "host=127.0.0.1' \
    ' port=1", "schema_name": "forged", "include_data": true, "options": null}}'  # fmt: skip


@pytest.fixture
def roles(place: tuple[ProxyProcess, Database]) -> Iterator[tuple[ProxyProcess, Database]]:
    place[1].execute(ROLES)
    yield place
    place[1].execute(WITHOUT_ROLES)


def test_other_roles_in_a_session(roles: tuple[ProxyProcess, Database]) -> None:
    proxy, database = roles
    with connect(proxy, database.name, user="stubs_high") as connection:
        connection.execute("SET ROLE stubs_low")
        block = f"DO $$ BEGIN PERFORM pgclone_schema_async('{SOURCE}', 'as_low'); END $$"
        connection.execute(block)
        assert value(connection, "SELECT current_user") == "stubs_low"
        assert schemas(connection) == ["as_low"]
        connection.execute("RESET ROLE")
        # Code of another role, which cannot shed it: as in a refresh or an index, it must not act for the session's.
        for sql in (f"SELECT pgclone_schema_async(''{SOURCE}'', ''smuggled'')", "SELECT pgclone_version()"):
            with pytest.raises(psycopg.errors.FeatureNotSupported, match="another role"):
                connection.execute(f"SELECT smuggled('{sql}')")
        assert schemas(connection) == ["as_low"]


@pytest.mark.parametrize("secret", ["", "00" * 16, "é"])
def test_a_forged_call_does_nothing(roles: tuple[ProxyProcess, Database], secret: str) -> None:
    proxy, database = roles
    mine = database.value("SELECT lo_from_bytea(0, 'mine')")
    with connect(proxy, database.name) as connection:
        before = schemas(connection)
        for number in (70007, mine):
            wish, call = FORGED % (number, ""), FORGED % (number, secret)
            connection.execute(f"SELECT forged('{wish}'), pg_sleep(0.2), forged('{call}'), pg_sleep(0.2)".encode())
        connection.execute("DO $$ BEGIN PERFORM pgclone_version(); END $$")
        assert schemas(connection) == before
    # Nor is what somebody else keeps under the number touched.
    assert bytes(database.value(f"SELECT lo_get({mine})")) == b"mine"
    database.execute(f"SELECT lo_unlink({mine})")


CANARY = "canary-93b7"


def test_a_password_that_an_expression_makes_is_nowhere(place: tuple[ProxyProcess, Database]) -> None:
    proxy, database = place
    said: list[str] = []
    made = f"'{SOURCE} password=' || reverse('{CANARY[::-1]}')"
    block = f"DO $$ BEGIN PERFORM pgclone_schema_async({made}, 'canary'); END $$"
    with connect(proxy, database.name) as connection:
        connection.add_notice_handler(
            lambda notice: said.append(str(notice.message_primary) + str(notice.message_detail))
        )
        connection.execute(block)
        connection.execute(
            "DO $$ BEGIN PERFORM pgclone_progress(0); EXCEPTION WHEN OTHERS THEN RAISE NOTICE 'x'; END $$"
        )
        assert schemas(connection)[-1] == "canary"
        # Nor in the log when it has all messages that the server sends.
        connection.execute("SET log_min_messages = debug1; SET log_error_verbosity = verbose")
        connection.execute(block)
    assert "'canary'" in wait_until(database.server.log)
    log = database.server.log()
    assert "asking pgclone-proxy" in log
    assert "eyJ" not in log, "the beginning of JSON in base64"
    for text in (log, proxy.log(), "".join(said)):
        assert CANARY not in text


def test_without_the_proxy_there_is_one_clear_error_and_no_argument_is_shown(server: Server) -> None:
    said: list[str] = []
    with database_with_stubs(server) as database, database.connect() as direct:
        direct.add_notice_handler(lambda notice: said.append(b64decode(notice.datatype_name or "").decode()))
        with pytest.raises(psycopg.errors.FeatureNotSupported) as refused:
            direct.execute(f"SELECT pgclone_schema_async('{SOURCE} password={CANARY}', 's')")
        assert "answered by pgclone-proxy" in (refused.value.diag.message_primary or "")
        assert "port of pgclone-proxy" in (refused.value.diag.message_hint or "")
    assert said and "number" in said[0]
    assert CANARY not in "".join([*said, str(refused.value)])


def test_a_role_for_which_the_proxy_has_no_credential_is_told_why(proxies: Proxies, scram_server: Server) -> None:
    said: list[tuple[str | None, str | None]] = []
    with database_with_stubs(scram_server) as database:
        proxy = proxies.start(scram_server.conninfo(), {"auth": {"mode": "relay"}})
        with connect(proxy, database.name, password=PASSWORD) as connection:
            connection.add_notice_handler(lambda notice: said.append((notice.severity, notice.sqlstate)))
            with pytest.raises(psycopg.errors.FeatureNotSupported, match="answered by pgclone-proxy"):
                connection.execute("DO $$ BEGIN PERFORM pgclone_version(); END $$")
        assert said == [("WARNING", "28000")]
        known = proxies.start(scram_server.conninfo())  # which has the session's own
        with connect(known, database.name, password=PASSWORD) as connection:
            connection.execute("DO $$ BEGIN PERFORM pgclone_version(); END $$")
