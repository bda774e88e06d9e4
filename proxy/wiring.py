"""Makes the parts of the proxy from the settings.

What the parts do is theirs; when they start and stop is `serving`'s business.
"""

from __future__ import annotations

import hmac
import os
import secrets
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path

from clone_engine.jobs.children import JobProcesses
from clone_engine.jobs.limits import Limits
from clone_engine.jobs.manager import Manager, ManagerSettings
from clone_engine.jobs.retention import Retention
from clone_engine.jobs.sealing import key_in
from clone_engine.jobs.sources import OpenKey
from clone_engine.jobs.sqlite_store import SqliteStore
from clone_engine.records.job_store import StoreError
from clone_engine.servers.notify import notify
from proxy.auth import Credentials
from proxy.calls.handlers import Actions, Handlers
from proxy.calls.roles import Roles
from proxy.calls.snapshot import Records, Snapshots
from proxy.cancel import Elsewhere, nowhere
from proxy.config import ConfigError, JobSettings, Settings
from proxy.interception.interceptor import SqlInterceptor
from proxy.interception.mailbox import Mailboxes
from proxy.limits import Doorkeeper
from proxy.listening import listeners
from proxy.login.auth_file import AuthFile, AuthFiles, check_auth_file
from proxy.login.modes import Method, login_method
from proxy.own_addresses import Listeners
from proxy.processes.supervisor import Supervisor
from proxy.reload import Configuration
from proxy.server import ForSessions, Server
from proxy.session import Session
from proxy.sources.access import Rules, SourceAccess
from proxy.sources.named import NamedSource
from proxy.sources.patterns import parse_pattern
from proxy.sources.policy import Policy
from proxy.tls.offer import Offer, make_offer
from proxy.upstream import Target, parse_target
from proxy.upstream.own import refuse_itself


def make_target(settings: Settings) -> Target:
    """Where clients are led to.  ConfigError if the setting cannot be used."""
    if not settings.server.target:
        raise ConfigError("no target server: set server.target in the configuration file, or DATABASE_URL")
    server = settings.server
    return parse_target(server.target, server.connect_timeout, settings.jobs.passfile, ahead=server.connect_ahead)


def make_login(settings: Settings, read: Callable[[Path], AuthFile] = check_auth_file) -> Method:
    """How clients get in, by the auth file that `read` gives; without it, nobody does by that.

    ConfigError if the settings do not go together, or the auth file cannot be used."""
    return login_method(settings.auth, make_target(settings).conninfo.parameters, read)


def _salts(jobs: JobSettings) -> bytes:
    """What the salts of roles that are not in the auth file are made of: the same in each process and after a restart,
    or they would show that they are made up.  Only where there is no key yet it is another."""
    try:
        key = _key_file(jobs).read_bytes()
    except OSError:
        return secrets.token_bytes(32)
    return hmac.digest(key, b"salts of roles that are not there", "sha256")


def make_tls(settings: Settings, *, make: bool = False) -> Offer:
    """What clients are offered on TCP.  With `make`, the proxy's own certificate is made where it is needed.

    ConfigError if the settings or the files cannot be used."""
    return make_offer(settings.tls, Path(f"{settings.jobs.store}.tls"), settings.server.listen_host, make=make)


def _make_salts(settings: Settings) -> None:
    """Make what they are made of, here and not in several processes, each for itself."""
    if settings.auth.mode == "terminate":
        try:
            key_in(_key_file(settings.jobs))
        except StoreError as error:
            raise ConfigError(str(error)) from None


def makers(ours: Listeners | None = None) -> Sequence[Callable[[Settings], object]]:
    """What a configuration that can be used lets be made, with ConfigError if not, and without a trace.

    `ours` is where clients connect, if that is not for the settings to say.
    """

    def not_itself(settings: Settings) -> None:
        refuse_itself(make_target(settings), ours or listeners(settings.server))

    return (make_target, not_itself, make_tls, make_login)


def make_manager(configuration: Configuration) -> Manager:
    """What has the jobs."""
    jobs = configuration.settings.jobs
    processes = JobProcesses(os.environ)
    say = notify if jobs.notify else None
    store = SqliteStore(Path(jobs.store))
    manager = Manager(store, _manager_settings(jobs), processes, time.time, _open_key(jobs), say)
    configuration.follow(lambda settings: partial(manager.configure, _manager_settings(settings.jobs)))
    return manager


def _manager_settings(jobs: JobSettings) -> ManagerSettings:
    limits = Limits(jobs.max_running, jobs.max_running_per_role, jobs.max_running_per_source)
    retention = Retention(jobs.keep_finished, jobs.keep_finished_days)
    return ManagerSettings(limits, jobs.default_parallel, jobs.retry_for, retention=retention)


def make_front(configuration: Configuration, manager: Manager, ours: Listeners) -> Server | Supervisor:
    """What serves clients, whose statements read and change the jobs of `manager`: this process, or several.

    `ours` is where they connect, which no target may be, now or after a reload.
    """

    def rules() -> Rules:
        return make_rules(configuration.settings, ours)

    def actions_of(settings: Settings) -> Handlers:
        _make_salts(settings)
        target = make_target(settings)
        refuse_itself(target, ours)
        credentials = Credentials(target, settings.jobs.passfile, settings.auth.mode)
        return Handlers(manager, credentials, SourceAccess(target.conninfo, rules, credentials.rights))

    make_tls(configuration.settings, make=True)  # here, not in several processes at once
    if configuration.settings.server.processes > 1:
        return Supervisor(configuration, manager, actions_of, os.environ)
    return make_server(configuration, manager, actions_of)


def make_server(
    configuration: Configuration,
    records: Records,
    actions_of: Callable[[Settings], Actions],
    elsewhere: Elsewhere = nowhere,
    doorkeeper: Doorkeeper | None = None,
) -> Server:
    """What serves clients in one process: their statements read `records`; what these call is performed by the actions
    of the settings that counted when the session began; `elsewhere` has the sessions of other processes."""
    snapshots = Snapshots(records, version("pgclone-proxy"))
    auth_files = AuthFiles(lambda: _salts(configuration.settings.jobs))

    def roles() -> Roles:
        return make_roles(configuration.settings.jobs)

    def for_sessions(settings: Settings) -> ForSessions:
        target, actions = make_target(settings), actions_of(settings)
        credentials = Credentials(target, settings.jobs.passfile, settings.auth.mode)
        mailboxes = Mailboxes(credentials.login)

        def intercept(session: Session) -> SqlInterceptor:
            return SqlInterceptor(session, snapshots, actions, roles, mailboxes)

        offer, login = make_tls(settings, make=True), make_login(settings, auth_files.read)
        return ForSessions(settings.server, settings.limits, settings.log, target, offer, login, intercept)

    server = Server(for_sessions(configuration.settings), elsewhere, doorkeeper)
    configuration.follow(lambda settings: partial(server.configure, for_sessions(settings)))
    return server


def make_rules(settings: Settings, ours: Listeners) -> Rules:
    """The configuration's rules for sources; `ours` is where the proxy listens."""
    given = settings.sources
    policy = Policy(
        given.inline,
        tuple(map(parse_pattern, given.allow)),
        tuple(map(parse_pattern, given.deny)),
        ours,
    )
    named = {
        name: NamedSource(source.conninfo, source.password, source.password_file, frozenset(source.roles))
        for name, source in settings.source.items()
    }
    return Rules(policy, named, given.require_password, frozenset(settings.jobs.admin_roles))


def make_roles(jobs: JobSettings) -> Roles:
    """The configuration's lists of roles."""
    return Roles(frozenset(jobs.admin_roles), frozenset(jobs.allow_roles), frozenset(jobs.deny_roles))


def check_key(jobs: JobSettings) -> None:
    """ConfigError if there is a key that cannot be used; where there is none, the first start makes one."""
    if jobs.keep_credentials and _key_file(jobs).exists():
        try:
            key_in(_key_file(jobs))
        except StoreError as error:
            raise ConfigError(str(error)) from None


def _open_key(jobs: JobSettings) -> OpenKey | None:
    return partial(key_in, _key_file(jobs)) if jobs.keep_credentials else None


def _key_file(jobs: JobSettings) -> Path:
    return Path(jobs.key_file or f"{jobs.store}.key")
