"""Every message of the corpus, on every server version, in the protocols that it is meant for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pytest

from proxy.embedded import SUPERUSER, Server
from tests.harness.corpus import CODECS, Case, Recorder, failures, read, recording_proxy, run
from tests.harness.servers import Servers
from tests.harness.wire import Client

FILES = sorted(Path(__file__).parent.parent.glob("corpus/*.sql"))
GROUPS = {
    f"{path.stem} {name}": list(cases)
    for path in FILES
    for name, cases in groupby(read(path), key=lambda case: case.group)
}


@pytest.fixture(scope="module")
def versions(all_servers: list[Server]) -> Iterator[list[tuple[Server, int, Recorder]]]:
    proxies = [recording_proxy(server.conninfo()) for server in all_servers]
    entered = [proxy.__enter__() for proxy in proxies]
    yield [(server, *found) for server, found in zip(all_servers, entered, strict=True)]
    for proxy in proxies:
        proxy.__exit__(None, None, None)


def conversation(cases: list[Case], port: int, recorder: Recorder) -> list[str]:
    """What fails of a group; cases that have no part of a group in common get a session each."""
    wrong: list[str] = []
    shared = "." in cases[0].name
    for session in [cases] if shared else [[case] for case in cases]:
        with Client("127.0.0.1", port, SUPERUSER, "postgres") as client:
            codec = "utf-8"
            for case in session:
                wrong += failures(case, run(case, client, codec, recorder))
                if match := re.fullmatch(r"SET client_encoding = '(\w+)'", case.sql):
                    codec = CODECS[match[1]]
    return wrong


@pytest.mark.parametrize("name", GROUPS)
def test_messages_do_what_is_expected(versions: list[tuple[Server, int, Recorder]], name: str) -> None:
    wrong = [
        f"PostgreSQL {server.installation.major}: {text}"
        for server, port, recorder in versions
        for text in conversation(GROUPS[name], port, recorder)
    ]
    assert not wrong, "\n".join(wrong)


def test_the_corpus_is_read_whole(servers: Servers) -> None:
    assert len(servers.installations) >= 1
    assert sum(len(cases) for cases in GROUPS.values()) > 200
