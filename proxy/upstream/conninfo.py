"""Reads server.target: a conninfo or URL with libpq's parameters, and what they mean for the connections to it.

Pure but for the certificates, which are read here.  What is not honoured is refused, never passed over.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from clone_engine.asking.conninfo import splits_a_password
from clone_engine.records.request import Conninfo
from clone_engine.servers.connect import NO_FILE
from proxy.config import ConfigError
from proxy.config.files import file_at
from proxy.upstream.opening import SOCKET_OPTIONS, Opener, socket_options
from proxy.upstream.places import Place, listed, places
from proxy.upstream.states import WANTED, States
from proxy.upstream.target import Target
from proxy.upstream.tls import read_tls

NOT_HONOURED: tuple[tuple[str, str, str], ...] = (
    ("service", "", "write down here what the service file says"),
    ("servicefile", "", "write down here what the service file says"),
    ("requirepeer", "", "let only the server's account write to the socket's directory"),
    ("sslkeylogfile", "", "the proxy does not write down the keys of its connections"),
    ("gssencmode", "require", "use TLS (sslmode)"),
    ("sslcertmode", "require", "let the server ask for it (clientcert in pg_hba.conf)"),
)
"""(keyword, value or '' for any, what to do instead)."""

INTEGERS = ("connect_timeout", *(keyword for keyword, _, _ in SOCKET_OPTIONS))

BALANCE = ("disable", "random")

# Jobs log in with libpq, which would look for these in the home directory.
NOT_FROM_HOME = {"sslrootcert": NO_FILE, "sslcrl": NO_FILE}


def parse_target(text: str, timeout: float, passfile: str = "", *, ahead: bool = True) -> Target:
    """The target that a conninfo or URL names.  `timeout` holds unless it has a connect_timeout of its own; `passfile`
    may have the password of its user; `ahead` is server.connect_ahead.  ConfigError for what cannot be read, or
    cannot be done."""
    given = _parse(text)
    _check(given)
    tls = read_tls(given)
    hosts = places(given)
    if tls.verifies_host:
        _check_names(hosts)
    seconds = int(given.get("connect_timeout") or 0)
    attrs, balance = _one_of(given, "target_session_attrs", WANTED), _one_of(given, "load_balance_hosts", BALANCE)
    kept = {key: value for key, value in given.items() if key not in ("host", "hostaddr", "port")}
    conninfo = Conninfo(NOT_FROM_HOME | kept | listed(hosts))
    states = States(_login(conninfo, attrs, passfile), timeout) if attrs != "any" else None
    return Target(
        hosts,
        conninfo,
        Opener(tls, socket_options(given)),
        timeout=float(seconds) if seconds > 0 else timeout,
        wanted=WANTED[attrs],
        states=states,
        balance=balance == "random",
        ahead=ahead,
    )


def _parse(text: str) -> dict[str, str]:
    if splits_a_password(text):
        raise ConfigError("configuration: server.target, or DATABASE_URL, has an @ that must be written as %40")
    try:
        return {key: str(value) for key, value in conninfo_to_dict(text).items() if value is not None}
    except ProgrammingError:
        # libpq's own message may repeat the text, password included.
        raise ConfigError("configuration: server.target is neither a conninfo nor a postgresql:// URL") from None


def _check(given: Mapping[str, str]) -> None:
    for keyword, value, instead in NOT_HONOURED:
        if given.get(keyword) and value in ("", given[keyword]):
            shown = f"{keyword}={value}" if value else keyword
            raise ConfigError(f"configuration: server.target: {shown} is not supported: {instead}")
    for keyword in INTEGERS:
        if given.get(keyword) and not re.fullmatch(r"\s*-?[0-9]{1,9}\s*", given[keyword]):
            raise ConfigError(f"configuration: server.target: {keyword} must be an integer, not {given[keyword]}")


def _check_names(hosts: tuple[Place, ...]) -> None:
    for place in hosts:
        if not place.host:
            raise ConfigError(
                f"configuration: server.target: sslmode=verify-full needs a host to verify beside hostaddr {place}"
            )


def _one_of(given: Mapping[str, str], keyword: str, words: Mapping[str, object] | tuple[str, ...]) -> str:
    value = given.get(keyword) or next(iter(words))
    if value not in words:
        raise ConfigError(f"configuration: server.target: {keyword} is {value}; it is one of {', '.join(words)}")
    return value


def _login(conninfo: Conninfo, attrs: str, passfile: str) -> Conninfo:
    """How the proxy itself logs in to ask a server what it is: what the client's own login tells comes too late."""
    if not conninfo.parameters.get("user"):
        raise ConfigError(
            f"configuration: server.target: target_session_attrs={attrs} needs a user, as whom the proxy can ask each "
            "server what it is, and its password here or in jobs.passfile"
        )
    found = {"passfile": str(file_at("jobs.passfile", passfile))} if passfile else {}
    return Conninfo(found | conninfo.parameters)
