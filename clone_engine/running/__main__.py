"""`python -m clone_engine.running`: what job processes are forked from, with all imported that they need."""

from __future__ import annotations

from functools import partial

from clone_engine.planning.plan import prepare
from clone_engine.running.forker import serve
from clone_engine.running.job_process import main
from clone_engine.servers.programs import pg_dumps

if __name__ == "__main__":
    pg_dumps()  # so that no job has to ask them for their versions
    serve(partial(main, prepare))
