"""Whether a caller may clone from a source, and how the proxy then connects to it.

Three kinds of sources: the target server itself, one that the configuration names, and any other.  They differ in who
answers for the connection, which is made by the proxy's machine: the caller, the operator, or the caller again, who
therefore must know a password that the server asks for.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple, NoReturn

import msgspec

from clone_engine.asking.source import SOURCE
from clone_engine.jobs.manager import Caller
from clone_engine.records.errors import PgError
from clone_engine.records.request import SECRET_KEYWORDS, Conninfo
from proxy.calls.membership import Rights
from proxy.resolver import Resolver
from proxy.sources.named import NamedSource
from proxy.sources.pinning import hosts_of, pinned
from proxy.sources.policy import Policy

LOOKUPS = 16
"""That are done at once for sources."""
WHERE = ("host", "hostaddr", "port")
NOT_LENT = frozenset({"dbname", *SECRET_KEYWORDS} - {"password"})
"""Of the login to the target: pg_dump is given a password, and no other secret."""

AskRights = Callable[[Conninfo, tuple[str, ...]], Awaitable[Rights]]
"""What of some roles' rights somebody has who can log in to the target so."""


class Rules(NamedTuple):
    """What the configuration says of sources."""

    policy: Policy
    named: Mapping[str, NamedSource]
    require_password: bool
    admins: frozenset[str]
    """Roles that need give no password."""


class SourceAccess:
    """What sessions may clone from.

    `target` is where the target server is · `rules` gives those that count now · `rights` asks the target.
    """

    def __init__(self, target: Conninfo, rules: Callable[[], Rules], rights: AskRights) -> None:
        self._target = target
        self._rules = rules
        self._rights = rights
        # Not the one of the target: whatever names callers think of, others can still connect.
        self._resolver = Resolver(LOOKUPS)

    def __repr__(self) -> str:
        return f"<SourceAccess of {self._target}, {len(self._rules().named)} named sources>"

    async def reached(self, caller: Caller, source: Conninfo, login: Conninfo) -> Conninfo:
        """How to connect to `source`, which is what a call names; `login` is the caller's own to the target.

        PgError 42501 if the caller may not, 2F003 if it takes a password that is not given, 08001 if the host is not
        found, 22023 if the source cannot be reached as it is written.
        """
        if name := source.parameters.get(SOURCE):
            return await self._by_name(caller, name, source, login)
        own = self._target.with_parameters(caller.server)
        source = Conninfo(_place(own) | source.parameters) if not _place(source).keys() - {"port"} else source
        if not self._is_target(source, own):
            source = await self._elsewhere(source)
        elif source.parameters["user"] == caller.role:
            return _as_the_session(source, login)
        if self._rules().require_password and not await self._is_trusted(caller, login):
            return _demanding_password(source)
        return source

    def _is_target(self, source: Conninfo, own: Conninfo) -> bool:
        """Whether the source is just the server that the session is on, or ones that the configuration names."""
        return set(hosts_of(source)) <= {*hosts_of(own), *hosts_of(self._target)}

    async def _elsewhere(self, source: Conninfo) -> Conninfo:
        if self._rules().policy.inline == "none":
            raise PgError(
                "42501",
                "pgclone: connections to sources that are not named in the proxy's configuration are not allowed",
                detail='In that configuration sources.inline is "none".',
                hint="Give the name of a source, as 'prod' or 'source=prod dbname=shop'; whoever runs the proxy knows "
                "the names.  Without a host the source is the target server itself.",
            )
        return await pinned(source, self._rules().policy.check, self._resolver.addresses)

    async def _is_trusted(self, caller: Caller, login: Conninfo) -> bool:
        """Whether the caller is an administrator of the proxy or a superuser of the target, as for dblink."""
        admins = self._rules().admins
        if caller.admin or caller.role in admins:
            return True
        rights = await self._rights(login, tuple(sorted(admins)))
        return rights.superuser or bool(rights.roles)

    async def _by_name(self, caller: Caller, name: str, source: Conninfo, login: Conninfo) -> Conninfo:
        named = self._rules().named.get(name)
        if named is None or not await self._may_use(caller, named, login):
            _refuse(name, caller.role)
        added = {keyword: value for keyword, value in source.parameters.items() if keyword != SOURCE}
        return named.reached(name, added, caller.role)

    async def _may_use(self, caller: Caller, named: NamedSource, login: Conninfo) -> bool:
        if not named.roles or caller.role in named.roles:
            return True
        return bool((await self._rights(login, tuple(sorted(named.roles)))).roles)


def _place(conninfo: Conninfo) -> dict[str, str]:
    """What of a conninfo says where the server is."""
    return {keyword: value for keyword, value in conninfo.parameters.items() if keyword in WHERE and value}


def _as_the_session(source: Conninfo, login: Conninfo) -> Conninfo:
    """Another database of the target server as the same role: nothing that a session of the caller could not read."""
    # Where it is, the source says: the login may be to another of the target's servers.
    kept_back = NOT_LENT.union(WHERE)
    given = {keyword: value for keyword, value in login.parameters.items() if keyword not in kept_back}
    return source.with_parameters(given | source.parameters)


def _demanding_password(source: Conninfo) -> Conninfo:
    if not source.parameters.get("password"):
        raise PgError(
            "2F003",
            "pgclone: source_conninfo must hold a password",
            detail="Without one the source would let in the proxy's machine, by its address or account, and not you.",
            hint="Add the password of the role that reads the source, or use a source that the proxy's configuration "
            "names.  Whoever runs the proxy can set sources.require_password to false.",
        )
    return msgspec.structs.replace(source, password_demanded=True)


def _refuse(name: str, role: str) -> NoReturn:
    # The same for both, so that trying names tells nothing of those that others may use.
    raise PgError(
        "42501",
        f'pgclone: role "{role}" has no source "{name}"',
        detail="The proxy's configuration has none of this name, or it is for other roles.",
        hint="Check the name, or write a conninfo: keyword=value pairs, or a URI.  Whoever runs the proxy can add "
        f"[source.{name}] to its configuration, or the role to its roles.",
    )
