"""What is fuzzed: functions that are given bytes from outside, each with the errors that it may answer them with.

Pure.  Who thinks of the bytes is libFuzzer (`__main__`), or the few examples here.  Sessions as a whole are not here:
tests/integration/test_random_messages.py and tests/properties/test_session.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import NamedTuple

from clone_engine.asking.conninfo import parse_conninfo
from clone_engine.asking.options import parse_options
from clone_engine.asking.source import read_source
from clone_engine.records.errors import PgError
from clone_engine.records.request import KINDS
from proxy.calls.filter import may_name_ours, names_ours
from proxy.calls.recording import parse_log
from proxy.calls.rewrite import deallocations, join, references, rewrite
from proxy.config import ConfigError
from proxy.login.auth_file import parse as parse_auth_file
from proxy.login.principal import Principal
from proxy.login.saslprep import prepared
from proxy.login.scram import derive, parse_verifier, verifier_of
from proxy.login.scram_client import ClientExchange
from proxy.login.scram_server import Binding, ServerExchange
from proxy.sources.patterns import parse_pattern
from proxy.target_says import note
from proxy.wire import messages
from proxy.wire.authentication import decode_initial, decode_mechanisms, decode_request
from proxy.wire.encodings import decode
from proxy.wire.exchange import Exchange
from proxy.wire.frames import FrameReader
from proxy.wire.messages import ProtocolError
from proxy.wire.startup import StartupError, read_packet
from tests.harness.wire import bind, execute, message, parse, query, startup

KEYS = derive(b"pencil", b"0123456789abcdef", 1)
NO_LOGIN = Binding(False, False)
DECODERS: tuple[Callable[[bytes], object], ...] = (
    messages.decode_execute,
    messages.decode_target,
    messages.bind_names,
    messages.decode_row,
    messages.drop_last_parameter,
    messages.decode_parameter_status,
    decode_request,
    decode_initial,
)


class Target(NamedTuple):
    """One of them."""

    run: Callable[[bytes], None]
    """Raises what it must not."""
    examples: tuple[bytes, ...]
    """To begin with."""


def frames(data: bytes) -> None:
    """All bytes come out again, in order, and none twice; the first byte says how they are cut."""
    size, rest = 1 + data[0] % 64 if data else 1, data[1:]
    for whole in (False, True):
        reader, out = FrameReader(frozenset(b"d"), frozenset(b"B"), 1000), b""
        for start in range(0, len(rest), size):
            reader.feed(rest[start : start + size])
            while (frame := reader.next(whole=whole)) is not None:
                out += reader.data[frame.start : frame.end]
        assert rest.startswith(out)
        assert len(rest) - len(out) == reader.waiting


def exchange(data: bytes) -> None:
    """What is owed is known whatever is said; the first byte says how much of it is the client's."""
    cut = data[0] * len(data) // 256 if data else 0
    state = Exchange()
    state.sent_plain(data[1:cut])
    assert 0 <= state.received_plain(data[cut:]) <= len(data)


def start_up(data: bytes) -> None:
    """A packet, a part of one, or none."""
    with suppress(StartupError):
        packet = read_packet(data)
        if packet is not None:
            assert data.startswith(packet.data)
            repr(Principal(packet))


def bodies(data: bytes) -> None:
    """The bodies of messages; what can be read goes round."""
    for decoder in DECODERS:
        with suppress(ProtocolError):
            decoder(data)
    with suppress(ProtocolError):
        assert messages.decode_parse(messages.decode_parse(data).encode()[5:]) == messages.decode_parse(data)
    with suppress(ProtocolError):
        decoded = messages.decode_bind(data)
        assert messages.decode_bind(decoded.encode()[5:]) == decoded
        decoded.integer(1)
        decoded.with_parameter(b"x").encode()
    messages.is_fatal(data)
    decode_mechanisms(data)
    note({}, data)


def said_in_scram(data: bytes) -> None:
    """By a client and by a server, which prove nothing."""
    first, _, final = data.partition(b"\0")
    serving, asking = ServerExchange(verifier_of(KEYS), NO_LOGIN, b"server"), ClientExchange(b"n,,", b"", b"nonce")
    with suppress(PgError):
        serving.first(first)
        assert serving.final(final) is None
    with suppress(PgError):
        asking.final(asking.challenge(first), KEYS)
        asking.verify(final)
        raise AssertionError("a signature was guessed")


def secrets(data: bytes) -> None:
    """Passwords, verifiers and auth files."""
    prepared(data)
    text = data.decode("utf-8", "surrogateescape")
    parse_verifier(text)
    with suppress(ConfigError):
        parse_auth_file(text, "file")


def sql(data: bytes) -> None:
    """A statement in any encoding: left alone, rewritten, or refused."""
    codec = ("utf-8", "latin-1", "gbk", "sjis", "euc_jp")[data[0] % 5 if data else 0]
    text = decode(data[1:], codec).text
    found = references(text)
    if found:
        assert may_name_ours(data[1:], prepared=False)
        assert names_ours(text, prepared=frozenset())
    deallocations(text)
    with suppress(PgError):
        statements = rewrite(text, extended=bool(len(data) % 2))
        assert found or not statements
        if statements:
            join([statement.render("$1::pg_catalog.jsonb") for statement in statements])


def noted(data: bytes) -> None:
    """What the server has noted of calls."""
    (statement,) = rewrite("SELECT pgclone_cancel(1), pgclone_schema_async('c', 's')")
    with suppress(PgError):
        list(parse_log(data.decode("utf-8", "replace"), statement.sites))


def conninfos(data: bytes) -> None:
    """Where to clone from; what is refused does not repeat the password."""
    text = data.decode("utf-8", "replace").replace("\0", "")
    for reader in (parse_conninfo, read_source):
        try:
            reader(text, "caller")
        except PgError as error:
            if "password=CANARY" in text:
                assert "CANARY" not in json.dumps([error.message, error.detail, error.hint])


def options(data: bytes) -> None:
    """Of each kind of call."""
    for kind in KINDS:
        with suppress(PgError):
            parse_options(data.decode("utf-8", "replace"), kind)


def patterns(data: bytes) -> None:
    """Of hosts."""
    with suppress(ValueError):
        parse_pattern(data.decode("utf-8", "surrogateescape"))


SAID = query("SELECT pgclone_version()") + parse("SELECT $1", "s") + bind("p", "s", b"1", None) + execute("p", 1)
ANSWERED = b"".join(message(bytes([kind]), b"SELECT 1\0") for kind in b"RSKZ12CTDnEN")
STATEMENTS = (
    b"SELECT pgclone_table('host=a', 'public', 't'), 'x' FROM pgclone_jobs_view v WHERE v.job_id = $1",
    b"WITH a AS (SELECT pgclone_progress(7)) EXPLAIN ANALYZE SELECT U&'\\0070', $$pgclone_cancel(1)$$ -- /* */",
    b"PREPARE p AS SELECT pgclone_version(); EXECUTE p; DEALLOCATE ALL; COPY (SELECT pgclone_version()) TO STDOUT",
    "SELECT 'é', pgclone_cancel_all(), \"pgclone_jobs_view\".* FROM public.pgclone_jobs_view; BEGIN".encode(),
)

PACKETS = (startup("me", "here"), startup("a", "b", protocol=(3, 2), options="-c a=b"), bytes(8))
SCRAM = (
    b"n,,n=,r=nonce\0c=biws,r=nonceserver,p=" + b"A" * 43 + b"=",
    b"r=nonce1,s=MDEyMw==,i=1\0v=AAAA",
    b"y,,n=a\0e=",
)
SECRETS = (b'"alice" "SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:c2VydmVy"', b'"b" "p""w"\n', b"\xc2\xad")
SOURCES = (
    b"host=h port=1,2 password=CANARY dbname='a b'",
    b"postgresql://u:CANARY@[::1]:5/d?sslmode=x",
    b"source=prod",
)
OPTIONS = (b'{"where": "a > 1", "columns": ["a"], "conflict": "replace", "parallel": 4}', b"{", b"[]")

TARGETS: Mapping[str, Target] = {
    "frames": Target(frames, (b"\7" + SAID, b"\x40" + ANSWERED, b"\0Q\0\0\0\3")),
    "exchange": Target(exchange, (b"\x80" + SAID + message(b"S") + ANSWERED, b"\x10" + ANSWERED)),
    "start_up": Target(start_up, PACKETS),
    "bodies": Target(bodies, (bind("p", "s", b"1", None)[5:], parse("SELECT 1", "s", (23,))[5:], b"\0\1\0\0\0\1x")),
    "scram": Target(said_in_scram, SCRAM),
    "secrets": Target(secrets, SECRETS),
    "sql": Target(sql, (*(b"\0" + each for each in STATEMENTS), b"\2\x81\x5c'" + STATEMENTS[0])),
    "noted": Target(noted, (b"0123456789abcdef0123456789abcdef [0, 1]\n", b"[1]", b"")),
    "conninfos": Target(conninfos, SOURCES),
    "options": Target(options, OPTIONS),
    "patterns": Target(patterns, (b"10.0.0.0/8:5432", b"[fe80::1]:1", b"*.example.com", b"/tmp", b"@a")),
}
