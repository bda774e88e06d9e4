"""`python -m clone_engine.running`: what job processes are forked from, with all imported that they need."""

from __future__ import annotations

from functools import partial

from clone_engine.planning.plan import prepare
from clone_engine.running.forker import serve
from clone_engine.running.job_process import main

if __name__ == "__main__":
    serve(partial(main, prepare))
