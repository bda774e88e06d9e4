"""Where callers may have the proxy connect to: patterns, and what is refused without one."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from clone_engine.records.errors import PgError
from proxy.own_addresses import Listeners
from proxy.sources.patterns import Place, parse_pattern
from proxy.sources.policy import Inline, Policy

PORT = 6432
OURS = Listeners(frozenset({("127.0.0.1", PORT)}), frozenset({f"/run/proxy/.s.PGSQL.{PORT}"}))


def looked_up(host: str, address: str, port: int = 5432) -> Place:
    return Place(host, ip_address(address), port, looked_up=True)


def given(address: str, host: str = "", port: int = 5432) -> Place:
    return Place(host, ip_address(address), port)


def unix_socket(directory: str, port: int = 5432) -> Place:
    return Place(directory, None, port)


def policy(allow: str = "", deny: str = "", inline: Inline = "remote") -> Policy:
    lists = [tuple(map(parse_pattern, text.split())) for text in (allow, deny)]
    return Policy(inline, *lists, OURS)


NEVER_BY_THEMSELVES = {
    "0.0.0.0": "unspecified",
    "0.1.2.3": "unspecified",
    "::": "unspecified",
    "127.0.0.1": "loopback",
    "127.8.9.10": "loopback",
    "::1": "loopback",
    "169.254.169.254": "link-local",
    "fe80::1": "link-local",
    "fe80::1%2": "link-local",
    "fec0::1": "link-local",
    "fd00:ec2::254": "metadata",
    "100.100.100.200": "metadata",
    "168.63.129.16": "metadata",
    "224.0.0.1": "multicast",
    "ff02::1": "multicast",
    "255.255.255.255": "reserved",
    "::127.0.0.1": "reserved",
    "::ffff:127.0.0.1": "loopback",
    "::ffff:169.254.169.254": "link-local",
    "2002:7f00:1::": "loopback",
    "64:ff9b::7f00:1": "loopback",
    "64:ff9b::a9fe:a9fe": "link-local",
    "::ffff:0:127.0.0.1": "loopback",
    "64:ff9b:1::7f00:1": "loopback",
    "64:ff9b:1:7f00:0:100::": "loopback",
    "64:ff9b:1:7f:0:1::": "loopback",
    "64:ff9b:1:0:7f:0:100::": "loopback",
}


@pytest.mark.parametrize("address", NEVER_BY_THEMSELVES)
@pytest.mark.parametrize("place", [given, lambda address: looked_up("harmless.example", address)])
def test_what_is_local_to_the_proxy_is_refused(address: str, place: object) -> None:
    assert callable(place)
    assert NEVER_BY_THEMSELVES[address] in policy().objection(place(address))


@pytest.mark.parametrize(
    "address", ["10.1.2.3", "192.168.1.1", "172.20.0.2", "8.8.8.8", "fd12::1", "2001:db8::1", "64:ff9b:1::808:808"]
)
def test_other_machines_are_not(address: str) -> None:
    assert policy().objection(looked_up("db.example", address)) == ""
    assert policy().objection(given(address)) == ""


def test_unix_sockets_are_refused() -> None:
    assert "unix socket" in policy().objection(unix_socket("/var/run/postgresql"))
    assert "unix socket" in policy().objection(unix_socket("@abstract"))


@pytest.mark.parametrize(
    ("allow", "place"),
    [
        ("127.0.0.1", given("127.0.0.1")),
        ("127.0.0.0/8", looked_up("localhost", "127.0.0.1")),
        ("127.0.0.1:5433", given("127.0.0.1", port=5433)),
        ("127.0.0.1", given("::ffff:127.0.0.1")),
        ("::1", given("::1")),
        ("[::1]:5433", given("::1", port=5433)),
        ("fe80::/10", given("fe80::1%2")),
        ("localhost", looked_up("LocalHost.", "127.0.0.1")),
        ("localhost:5433", looked_up("localhost", "::1", 5433)),
        ("*.example.com", looked_up("db.eu.example.com", "127.0.0.1")),
        ("*", looked_up("anything", "127.0.0.1")),
        ("/var/run", unix_socket("/var/run/postgresql")),
        ("/var/run/postgresql:5433", unix_socket("/var/run/postgresql/", 5433)),
        ("/", unix_socket("/tmp")),
        ("@abstract", unix_socket("@abstract")),
    ],
)
def test_allowed(allow: str, place: Place) -> None:
    assert policy(allow).objection(place) == ""
    policy(allow).check(place)


@pytest.mark.parametrize(
    ("allow", "place"),
    [
        ("127.0.0.1", given("127.0.0.2")),
        ("127.0.0.1:5433", given("127.0.0.1")),
        ("10.0.0.0/8", given("127.0.0.1")),
        ("*.example.com", looked_up("example.com", "127.0.0.1")),
        ("*.example.com", looked_up("db.example.com.evil.test", "127.0.0.1")),
        ("localhost", looked_up("localhost2", "127.0.0.1")),
        ("/var/run/postgresql", unix_socket("/var/run")),
        ("/var/run/postgresql", unix_socket("/var/run/postgresql/../../../tmp")),
        ("/var/run/postgresql", unix_socket("/var/run/postgresql2")),
        ("@abstract", unix_socket("@abstract2")),
        ("/", unix_socket("@abstract")),
        ("*", unix_socket("/tmp")),
    ],
)
def test_a_pattern_allows_no_more_than_it_says(allow: str, place: Place) -> None:
    assert policy(allow).objection(place)


def test_a_name_that_was_not_looked_up_allows_nothing() -> None:
    assert policy("db.example").objection(given("127.0.0.1", host="db.example"))
    assert policy("db.example", inline="listed").objection(given("10.0.0.1", host="db.example"))


@pytest.mark.parametrize(
    ("deny", "place"),
    [
        ("10.0.0.0/8", looked_up("db.example", "10.1.2.3")),
        ("db.example", looked_up("db.example", "10.1.2.3")),
        ("db.example", given("10.1.2.3", host="db.example")),
        ("db.example", looked_up("ｄB。example.", "10.1.2.3")),
        ("10.0.0.0/8", given("::ffff:10.1.2.3")),
        ("10.0.0.0/8", given("64:ff9b::a01:203")),
        ("*:5432", looked_up("db.example", "10.1.2.3")),
    ],
)
def test_denied_whatever_is_allowed(deny: str, place: Place) -> None:
    assert "sources.deny" in policy("* 0.0.0.0/0 ::/0", deny).objection(place)


def test_only_what_is_listed() -> None:
    listed = policy("db.example 10.0.0.0/8", inline="listed")
    assert listed.objection(looked_up("db.example", "192.168.0.1")) == ""
    assert listed.objection(given("10.1.1.1")) == ""
    assert "sources.allow" in listed.objection(looked_up("other.example", "192.168.0.1"))
    assert "sources.allow" in listed.objection(unix_socket("/tmp"))


@pytest.mark.parametrize(
    "place",
    [given("127.0.0.1", port=PORT), given("127.1.2.3", port=PORT), given("0.0.0.0", port=PORT),
     given("::ffff:127.0.0.1", port=PORT), unix_socket("/run/proxy/", PORT)],
)  # fmt: skip
def test_the_proxy_itself_is_allowed_by_its_port_only(place: Place) -> None:
    assert "this proxy itself" in policy("0.0.0.0/0 ::/0 /").objection(place)
    assert policy(f"0.0.0.0/0:{PORT} [::/0]:{PORT} /:{PORT}").objection(place) == ""


def test_another_machine_s_port_of_the_same_number_is_not_the_proxy() -> None:
    assert policy().objection(given("192.0.2.1", port=PORT)) == ""


def test_the_refusal_says_what_to_do() -> None:
    with pytest.raises(PgError) as refused:
        policy().check(looked_up("localhost", "::1", 5433))
    assert refused.value.sqlstate == "42501"
    assert refused.value.message == "pgclone: connections to a source at localhost:5433 are not allowed"
    assert "loopback" in refused.value.detail
    assert "sources.allow" in refused.value.hint
    parse_pattern("localhost:5433")


@pytest.mark.parametrize(
    "text",
    ["", " ", ":5432", "10.0.0.1/8", "10.0.0.0/33", "300.1.1.1", "1.2.3", "host:0", "host:70000", "a b", "a*b",
     "*example.com", "::1::2", "-host", "ex_ample.com/8", "host:port"],
)  # fmt: skip
def test_no_pattern(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_pattern(text)
