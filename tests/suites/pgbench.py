"""pgbench in all its modes: every transaction is done, none fails, and the sums of the balances agree."""

from __future__ import annotations

import itertools
import re

from proxy.embedded import SUPERUSER
from proxy.installations import with_program
from tests.harness.servers import Database
from tests.suites.places import Outcome, Outcomes, Place, run

SCALE, TRANSACTIONS = 2, 200
MODES = ("simple", "extended", "prepared")
SCRIPTS = {"TPC-B": [], "without contention": ["-N"], "SELECT only": ["-S"], "reconnecting": ["-S", "--connect"]}
CLIENTS = (1, 16)
PIPELINE = """\\set aid random(1, 100000 * :scale)
\\startpipeline
SELECT abalance FROM pgbench_accounts WHERE aid = :aid;
UPDATE pgbench_accounts SET abalance = abalance WHERE aid = :aid;
SELECT count(*) FROM generate_series(1, 100);
\\endpipeline
"""
SUMS = """
SELECT (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT coalesce(sum(delta), 0) FROM pgbench_history),
       (SELECT count(*) FROM pgbench_history)
"""


def pgbench(place: Place) -> Outcomes:
    """What a test says is how much was done."""
    program = with_program("pgbench", place.server.installation).program("pgbench")
    to = ["-h", "127.0.0.1", "-p", str(place.port), "-U", SUPERUSER, "postgres"]
    pipeline = place.directory / "pipeline.sql"
    pipeline.write_text(PIPELINE)
    ways = [(name, mode, options) for (name, options), mode in itertools.product(SCRIPTS.items(), MODES)]
    ways += [("pipeline", mode, ["-f", str(pipeline)]) for mode in MODES[1:]]
    found = {}
    for (name, mode, options), clients in itertools.product(ways, CLIENTS):
        run([program, "-i", "-q", "-s", str(SCALE), *to], place.directory)
        more = ["-n", "-M", mode, "-c", str(clients), "-j", "2", "-t", str(TRANSACTIONS), *options]
        said = run([program, *more, *to], place.directory).stdout
        found[f"{name}, {mode}, {clients} clients"] = _outcome(place, said, clients)
    return found


def _outcome(place: Place, said: str, clients: int) -> Outcome:
    done = re.search(r"actually processed: (\d+)/", said)
    failed = re.search(r"failed transactions: (\d+)", said)
    agree, rows = Database(place.server, "postgres").rows(SUMS)[0]
    about = f"{done and done[1]} done, {failed and failed[1]} failed, {rows} rows, sums agree: {agree}"
    content = bool(done and int(done[1]) == clients * TRANSACTIONS and (failed is None or failed[1] == "0") and agree)
    return Outcome(content, about)
