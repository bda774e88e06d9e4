"""Every kind of object, in every way of asking for a clone: what arrives is what was there.

One database holds all kinds (`kind_cases`).  It is cloned once for each way, and each kind is a test of its own.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import pytest

from proxy.embedded import Server
from proxy.installations import Installation
from proxy.launch import ProxyProcess
from tests.clone.kind_cases import KINDS, NO_KIND, OLDEST, Differences, State, Tables, spoil, state, tables, whose
from tests.clone.test_extensions import FILES
from tests.harness.proxies import connect, running_proxies
from tests.harness.servers import Database, Servers
from tests.harness.waiting import wait_until

TAKES_OUR_EXTENSIONS = 18
CLUSTER = (
    "CREATE ROLE kinds_owner",
    "CREATE ROLE kinds_reader",
    "CREATE ROLE kinds_other",
    "CREATE TABLESPACE kinds_space LOCATION ''",
)
NEED_WHAT_IS_IN_NO_SCHEMA = ("casts", "languages", "publications", "transforms")
"""Kinds that a clone of their schema cannot have: that went with the schema, and comes with databases only."""
SECRET = "mapped secret"
"""The password in the user mapping of a case."""
UNPROVEN = "ALTER DOMAIN domains.positive {} CONSTRAINT below {}"
"""A domain of the target stays as it is, and its constraint would refuse rows that the source has from before it."""
COPIES = ("skip", "replace", "rename", "schemas_async")


class Bench:
    """A server with the source and with copies of it that are clones' targets, and a proxy in front of it."""

    def __init__(self, server: Server, proxy: ProxyProcess) -> None:
        self.server = server
        self.proxy = proxy
        self.source = self.database("kinds_of_source")
        self.kinds: list[str] = []

    @cached_property
    def wanted(self) -> State:
        """What the source holds."""
        return state(self.source)

    def database(self, name: str) -> Database:
        return Database(self.server, name)

    def create(self, name: str, template: str = "template0") -> Database:
        """A new database.  None is dropped: the one with the subscription could not be, and the server is gone soon."""
        self.database("postgres").execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.database(name)

    def call(self, target: str, statement: str, *more: str) -> None:
        """Call a function through the proxy, in the database `target`."""
        with connect(self.proxy, target) as client:
            assert client.execute(statement.encode(), (self.source.conninfo(), *more)).fetchone() == ("OK",)

    def onto(self, name: str, options: str) -> tuple[State, Tables, Database]:
        """Clone onto a database with everything and other rows; what it had before, and the database."""
        database = self.database(name)
        spoil(database)
        database.execute(UNPROVEN.format("DROP", ""))
        before = state(database), tables(database), database
        self.call(name, "SELECT pgclone_database(%s, true, %s)", f'{{"conflict": "{name}", {options}}}')
        return before


@contextmanager
def running_bench(servers: Servers, installation: Installation) -> Iterator[Bench]:
    """The bench with all kinds that a server of this installation knows."""
    settings = {"allow_in_place_tablespaces": "on"}
    if installation.major >= TAKES_OUR_EXTENSIONS:
        settings["extension_control_path"] = f"$system:{_extensions(servers)}"
    server = servers.get(installation, name="kinds", settings=settings)
    with tempfile.TemporaryDirectory(prefix="pgclone-") as directory, running_proxies(Path(directory)) as proxies:
        ready = Bench(server, proxies.start(server.conninfo(), {"jobs": {"max_running": 3}}))
        for statement in CLUSTER:
            ready.database("postgres").execute(statement)
        ready.create(ready.source.name)
        for name, kind in KINDS.items():
            if kind.is_known_to(ready.source):
                ready.source.execute(kind.script)
                ready.kinds.append(name)
        yield ready


@pytest.fixture(scope="module")
def bench(servers: Servers) -> Iterator[Bench]:
    """That of the newest server, with the targets; and a session of somebody's with tables of its own."""
    with running_bench(servers, servers.installations[-1]) as ready:
        for name in COPIES:
            ready.create(name, ready.source.name)
        with ready.source.connect() as session:
            session.execute("CREATE TEMP TABLE nobody_elses AS SELECT 1; CREATE TEMP SEQUENCE neither")
            yield ready


def _extensions(servers: Servers) -> Path:
    directory = servers.directory / "extensions" / "extension"
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in FILES.items():
        (directory / name).write_text(text)
    return directory.parent


def _sync(bench: Bench) -> Differences:
    """Into an empty database, by one copier."""
    target = bench.create("sync")
    bench.call(target.name, "SELECT pgclone_database(%s, true, '{\"parallel\": 1}')")
    return bench.wanted.differences(state(target))


def _created(bench: Bench) -> Differences:
    """Into a database that the clone makes, by four; with the properties of the database."""
    bench.call("postgres", "SELECT pgclone_database_create(%s, 'created', true, '{\"parallel\": 4}')")
    return state(bench.source, "--create").differences(state(bench.database("created"), "--create"))


def _skip(bench: Bench) -> Differences:
    """Onto everything: nothing is changed."""
    before, _, target = bench.onto("skip", '"parallel": 4')
    return before.differences(state(target))


def _replace(bench: Bench) -> Differences:
    """Onto everything: what is there becomes what the source has."""
    _, _, target = bench.onto("replace", '"parallel": 4')
    target.execute(UNPROVEN.format("ADD", "CHECK (VALUE < 2) NOT VALID"))
    return bench.wanted.differences(state(target))


def _rename(bench: Bench) -> Differences:
    """Onto everything: beside what the source has, each old table is there, as it was and with all that is its own."""
    bench.database("rename").execute("SELECT lo_unlink(oid) FROM pg_largeobject_metadata")  # are their numbers
    _, before, target = bench.onto("rename", '"parallel": 1')
    target.execute(UNPROVEN.format("ADD", "CHECK (VALUE < 2) NOT VALID"))
    after, found = tables(target), defaultdict(list)
    for (schema, name), was in before.items():
        kept = after.get((schema, f"{name}_old"))
        if kept != was:
            found[whose(schema)].append(f"{schema}.{name}_old was {was} and is {kept}")
    for kind, differences in bench.wanted.differences(state(target, "-T", "*.*_old")).items():
        # Publications go on with the old tables, too.
        found[kind] += [what for what in differences if "_old: " not in what and "_old; " not in what]
    return found


def _schemas_async(bench: Bench) -> Differences:
    """Each schema by a job of its own, where all the others are there; what is in no schema is not in it."""
    target = bench.database("schemas_async")
    with connect(bench.proxy, target.name) as client:
        for number, kind in enumerate(kind for kind in bench.kinds if kind not in NEED_WHAT_IS_IN_NO_SCHEMA):
            client.execute(f"DROP SCHEMA {kind} CASCADE".encode())
            options = f'{{"parallel": {4 if number % 2 else 1}}}'
            client.execute("SELECT pgclone_schema_async(%s, %s, true, %s)", (bench.source.conninfo(), kind, options))
        jobs = "FROM pgclone_jobs_view WHERE op_type = 'schema' AND status"
        wait_until(lambda: not client.execute(f"SELECT {jobs} IN ('pending', 'running')").fetchall(), 120, "all jobs")
        failed = client.execute(f"SELECT schema_name, error_message {jobs} <> 'completed'").fetchall()
    found = defaultdict(list, {kind: [error] for kind, error in failed})
    for kind, differences in bench.wanted.differences(state(target)).items():
        if kind in NEED_WHAT_IS_IN_NO_SCHEMA:
            continue
        found[kind] += [what for what in differences if f"Schema: {kind};" in what or f"{kind}." in what.split(": ")[0]]
    return found


WAYS: dict[str, Callable[[Bench], Differences]] = {
    "sync": _sync,
    "created": _created,
    "skip": _skip,
    "replace": _replace,
    "rename": _rename,
    "schemas_async": _schemas_async,
}


@pytest.fixture(scope="module", params=WAYS)
def differences(request: pytest.FixtureRequest, bench: Bench) -> Differences:
    """What a clone made in that way has different, by kind."""
    return WAYS[request.param](bench)


@pytest.mark.parametrize("kind", [*KINDS, NO_KIND])
def test_it_arrives_as_it_was(kind: str, differences: Differences, bench: Bench) -> None:
    if kind not in (*bench.kinds, NO_KIND):
        pytest.skip(f"PostgreSQL {bench.server.installation.major} here does not have it")
    found = differences.get(kind, [])
    assert not found, "\n".join(found)


@pytest.fixture(scope="module")
def with_icu(servers: Servers) -> Iterator[tuple[Bench, Differences]]:
    """A bench of a server that knows ICU, which the wheels do not, and what a clone there has different."""
    systems = [i for i in servers.installations if not i.embedded and i.major >= OLDEST]
    if not systems:
        pytest.skip("no server here knows ICU")
    with running_bench(servers, systems[0]) as ready:
        yield ready, _created(ready)


@pytest.mark.parametrize("kind", [*KINDS, NO_KIND])
def test_it_arrives_where_icu_is_known(kind: str, with_icu: tuple[Bench, Differences]) -> None:
    ready, differences = with_icu
    if kind not in (*ready.kinds, NO_KIND):
        pytest.skip(f"PostgreSQL {ready.server.installation.major} here does not have it")
    found = differences.get(kind, [])
    assert not found, "\n".join(found)


def test_a_password_of_a_user_mapping_stays_between_the_servers(bench: Bench) -> None:
    bench.call("postgres", "SELECT pgclone_database_create(%s, 'mappings', false)")
    mapped = "SELECT umoptions::text FROM pg_user_mappings WHERE umuser = 0"
    assert SECRET in bench.database("mappings").value(mapped)
    for file in bench.proxy.directory.iterdir():
        assert not file.is_file() or SECRET.encode() not in file.read_bytes(), file
