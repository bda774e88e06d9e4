"""Where replies to stubs are left: what becomes of them, and of the connection that writes them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from clone_engine.records.errors import PgError
from clone_engine.records.request import Conninfo
from proxy.interception.mailbox import Mailbox
from tests.harness.servers import Database
from tests.harness.waiting import wait_until_async
from tests.integration.with_stubs import login

CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgclone-proxy: replies to stubs'"
END = CONNECTIONS.replace("count(*)", "pg_terminate_backend(pid)")
N = 70001


@asynccontextmanager
async def mailbox(database: Database, idle_seconds: float = 60.0) -> AsyncIterator[Mailbox]:
    async def logged_in() -> Conninfo:
        return login(database)

    made = Mailbox(logged_in, idle_seconds)
    try:
        yield made
    finally:
        await made.close()


def content(database: Database, number: int = N) -> bytes:
    return bytes(database.value(f"SELECT lo_get({number})"))


def exists(database: Database, number: int = N) -> bool:
    found: bool = database.value(f"SELECT EXISTS (SELECT FROM pg_largeobject_metadata WHERE oid = {number})")
    return found


async def test_a_reply_grows_and_goes(database: Database) -> None:
    async with mailbox(database) as box:
        await box.put(N, b"secret")
        await box.append(N, b", reply")
        assert content(database) == b"secret, reply"
        await box.remove(N)
        await box.remove(N)
        assert not exists(database)


async def test_what_is_somebody_else_s_is_refused_and_kept(database: Database) -> None:
    database.execute(f"SELECT lo_from_bytea({N}, 'mine')")
    async with mailbox(database) as box:
        with pytest.raises(PgError):
            await box.put(N, b"secret")
        await box.remove(N)
    assert content(database) == b"mine"


async def test_a_number_is_one_reply_s(database: Database) -> None:
    async with mailbox(database) as box:
        assert box.reserve(N) and not box.reserve(N) and box.reserve(N + 1)
        await box.put(N, b"secret")
        await box.remove(N)
        box.release(N + 1)
        assert box.reserve(N) and box.reserve(N + 1)


async def test_only_those_whose_connection_is_gone_are_swept_away(database: Database) -> None:
    async with mailbox(database) as lost, mailbox(database) as alive:
        await lost.put(N, b"lost")
        await lost.close()
        await alive.put(N + 1, b"alive")
        assert not exists(database)
        async with mailbox(database) as third:
            await third.put(N, b"third")
        assert exists(database, N + 1)


async def test_a_connection_that_the_server_has_ended_is_opened_again(database: Database) -> None:
    async with mailbox(database) as box:
        await box.put(N, b"one")
        database.execute(END)
        await box.append(N, b", two")
        assert content(database) == b"one, two"
        async with mailbox(database) as other:
            await other.put(N + 1, b"")
        assert exists(database)


async def test_a_connection_that_is_found_ended_when_something_is_put(database: Database) -> None:
    # The number of what could not be put was taken for one that lies there, and the reply was given up.
    async with mailbox(database) as box:
        await box.put(N, b"one")
        database.execute(END)
        await box.put(N + 1, b"two")
        assert (content(database), content(database, N + 1)) == (b"one", b"two")
        await box.remove(N)
        await box.remove(N + 1)
        assert not exists(database) and not exists(database, N + 1)


async def test_what_is_somebody_else_s_is_kept_when_the_connection_has_ended(database: Database) -> None:
    database.execute(f"SELECT lo_from_bytea({N}, 'mine')")
    async with mailbox(database) as box:
        await box.put(N + 1, b"")
        database.execute(END)
        with pytest.raises(PgError):
            await box.put(N, b"secret")
        await box.remove(N)
    assert content(database) == b"mine"


async def test_an_idle_connection_is_closed_unless_something_lies_there(database: Database) -> None:
    async def closed() -> bool:
        return bool(database.value(CONNECTIONS) == 0)

    async with mailbox(database, 0.1) as box:
        await box.put(N, b"one")
        with pytest.raises(AssertionError):
            await wait_until_async(closed, 0.5)
        await box.remove(N)
        await wait_until_async(closed)
        await box.put(N, b"again")
        assert content(database) == b"again"


async def test_a_role_s_own_settings_do_not_matter(database: Database) -> None:
    database.execute(
        "CREATE ROLE mailbox_other; CREATE ROLE mailbox_reader LOGIN; GRANT mailbox_other TO mailbox_reader;"
        "ALTER ROLE mailbox_reader SET default_transaction_read_only = on;"
        "ALTER ROLE mailbox_reader SET role = mailbox_other"
    )

    async def as_reader() -> Conninfo:
        return login(database, user="mailbox_reader")

    box = Mailbox(as_reader)
    await box.put(N, b"one")
    owner = "SELECT pg_get_userbyid(lomowner) FROM pg_largeobject_metadata"
    assert database.value(owner) == "mailbox_reader"
    await box.remove(N)
    await box.close()
    database.execute("DROP ROLE mailbox_reader, mailbox_other")


async def test_without_privileges_on_large_objects_nothing_is_written(database: Database) -> None:
    database.execute(f"ALTER DATABASE {database.name} SET lo_compat_privileges = on")
    async with mailbox(database) as box:
        with pytest.raises(PgError, match="lo_compat_privileges"):
            await box.put(N, b"secret")
    assert not exists(database)
