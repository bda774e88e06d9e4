"""Makes the parts of the proxy from the settings.

What the parts do is theirs; when they start and stop is `serving`'s business.
"""

from __future__ import annotations

import os
import time
from functools import partial
from importlib.metadata import version
from pathlib import Path

from clone_engine.jobs.children import JobProcesses
from clone_engine.jobs.limits import Limits
from clone_engine.jobs.manager import Caller, Manager, ManagerSettings
from clone_engine.jobs.retention import Retention
from clone_engine.jobs.sealing import key_in
from clone_engine.jobs.sources import OpenKey
from clone_engine.jobs.sqlite_store import SqliteStore
from clone_engine.records.request import Conninfo
from clone_engine.servers.notify import notify
from proxy.auth import Credentials
from proxy.calls.handlers import Actions, Handlers
from proxy.calls.roles import Roles
from proxy.calls.snapshot import Records, Snapshots
from proxy.cancel import Elsewhere, nowhere
from proxy.config import JobSettings, Settings
from proxy.interception.interceptor import SqlInterceptor
from proxy.interception.mailbox import Mailboxes
from proxy.processes.supervisor import Supervisor
from proxy.server import Server
from proxy.session import Session
from proxy.upstream import Target


def make_manager(jobs: JobSettings) -> Manager:
    """What has the jobs.  StoreError if its store cannot be used."""
    limits = Limits(jobs.max_running, jobs.max_running_per_role, jobs.max_running_per_source)
    retention = Retention(jobs.keep_finished, jobs.keep_finished_days)
    settings = ManagerSettings(limits, jobs.default_parallel, jobs.retry_for, retention=retention)
    processes = JobProcesses(os.environ)
    say = notify if jobs.notify else None
    return Manager(SqliteStore(Path(jobs.store)), settings, processes, time.time, _open_key(jobs), say)


def make_front(settings: Settings, target: Target, manager: Manager) -> Server | Supervisor:
    """What serves clients, whose statements read and change the jobs of `manager`: this process, or several."""
    handlers = Handlers(manager, Credentials(target, settings.jobs.passfile), target.conninfo)
    if settings.server.processes > 1:
        return Supervisor(settings, manager, handlers, os.environ)
    return make_server(settings, target, manager, handlers)


def make_server(
    settings: Settings, target: Target, records: Records, actions: Actions, elsewhere: Elsewhere = nowhere
) -> Server:
    """What serves clients in one process: their statements read `records`, and `actions` performs what they call;
    `elsewhere` has the sessions of other processes."""
    credentials = Credentials(target, settings.jobs.passfile)
    snapshots = Snapshots(records, version("pgclone-proxy"))
    roles = make_roles(settings.jobs)

    async def log_in(caller: Caller) -> Conninfo:
        return await credentials.login(caller.role, caller.database)

    mailboxes = Mailboxes(log_in)

    def make_interceptor(session: Session) -> SqlInterceptor:
        return SqlInterceptor(session, snapshots, actions, roles, mailboxes)

    return Server(settings.server, target, make_interceptor, elsewhere)


def make_roles(jobs: JobSettings) -> Roles:
    """The configuration's lists of roles."""
    return Roles(frozenset(jobs.admin_roles), frozenset(jobs.allow_roles), frozenset(jobs.deny_roles))


def _open_key(jobs: JobSettings) -> OpenKey | None:
    return partial(key_in, Path(jobs.key_file or f"{jobs.store}.key")) if jobs.keep_credentials else None
