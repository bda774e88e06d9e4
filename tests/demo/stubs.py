"""Stubs, shown: `make stubs-demo` starts a server and a proxy and prints what psql says with stubs and without.

Everything is real and thrown away at the end.  What must be true of stubs is in tests/integration.
"""

from __future__ import annotations

import subprocess
import sys
from typing import NamedTuple

from proxy.embedded import Server
from proxy.installations import newest, private_directory, reachable
from proxy.launch import LOCAL_SOURCES, ProxyProcess, clean_environment

WIDTH = 150
"""Columns of a table that psql prints; wider cells are wrapped."""


class Place(NamedTuple):
    """A running server, and a proxy before it."""

    server: Server
    proxy: ProxyProcess

    def psql(self, title: str, *commands: str, past_the_proxy: bool = False) -> None:
        """Say what is shown, run commands, and print them with all that psql prints."""
        print(f"\n=== {title}", flush=True)
        conninfo = (self.server if past_the_proxy else self.proxy).conninfo()
        psql = self.server.installation.program("psql")
        # On standard input, since of what comes with -c psql echoes no backslash.
        lines = "".join(command + ("\n" if command.startswith("\\") else ";\n") for command in commands)
        subprocess.run(
            [psql, "-X", "-a", "-P", "format=wrapped", "-P", f"columns={WIDTH}", "-d", conninfo],
            input=lines, text=True, env=clean_environment({"PGOPTIONS": "-c client_min_messages=notice"}),
            stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip

    def command(self, *arguments: str) -> None:
        """Run pgclone-proxy as a user would."""
        print(f"\n$ pgclone-proxy {' '.join(arguments)}", flush=True)
        command = [sys.executable, "-m", "proxy", *arguments, "-c", str(self.proxy.config_path)]
        subprocess.run(command, env=clean_environment({}), check=True)


def show(place: Place) -> None:
    """The tour."""
    call = "pgclone_schema_async('host=127.0.0.1 port=1', 'sales')"
    block = f"DO $$ BEGIN RAISE NOTICE 'job %', {call}; END $$"
    place.psql("Without stubs", "\\df pgclone*", block)
    place.command("install-stubs")
    place.psql("What schema browsers list", "\\d pgclone_jobs_view", "\\df pgclone*", "\\df pgclone.p*")
    place.psql("A DO block", block)
    place.psql(
        "A view of one's own",
        "CREATE VIEW mine AS SELECT job_id, status, schema_name, progress_bar FROM pgclone_jobs_view",
        "SELECT * FROM mine",
    )
    place.psql(
        "Dynamic SQL in a function, as pgTAP runs it",
        "CREATE FUNCTION lives_ok(sql text) RETURNS text LANGUAGE plpgsql AS $$"
        " BEGIN EXECUTE sql; RETURN 'ok'; EXCEPTION WHEN OTHERS THEN RETURN 'not ok: ' || SQLERRM; END $$",
        f"SELECT lives_ok($$SELECT {call}$$), lives_ok('SELECT pgclone_progress(99)')",
    )
    place.psql("A thousand calls in one statement", "SELECT pgclone.version() AS direct", "\\timing on", THOUSAND)
    place.psql("Past the proxy (waits five seconds for it)", "SELECT pgclone_version()", past_the_proxy=True)
    place.psql("What depends on them", "SELECT 'mine' AS still_there FROM mine LIMIT 1")
    place.command("remove-stubs", "--cascade")
    place.psql("Removed", "\\df pgclone*")


THOUSAND = """DO $$ DECLARE began timestamptz := clock_timestamp(); BEGIN
    FOR i IN 1..1000 LOOP PERFORM pgclone.version(); END LOOP;
    RAISE NOTICE '% ms a call', round(extract(epoch FROM clock_timestamp() - began)::numeric, 2);
END $$"""


def main() -> None:
    """Start, show, stop."""
    with private_directory() as directory, Server(reachable(newest(), directory), directory / "server") as server:
        place = directory / "proxy"
        place.mkdir()
        with ProxyProcess(place, server.conninfo(), LOCAL_SOURCES) as proxy:
            show(Place(server, proxy))


if __name__ == "__main__":
    main()
