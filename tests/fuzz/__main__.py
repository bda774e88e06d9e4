"""Lets libFuzzer think of bytes for one target, guided by which code they reach (atheris, of requirements.txt).

    python -m tests.fuzz sql -max_total_time=600

What follows the target's name is for libFuzzer.  A finding ends the run with a status that is not 0.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris


def main(name: str, arguments: list[str]) -> None:
    """Fuzz one target, beginning with its examples."""
    with atheris.instrument_imports(include=["proxy", "clone_engine"]):
        from tests.fuzz.targets import TARGETS  # noqa: PLC0415  # what is imported here is instrumented

    target = TARGETS[name]
    # libFuzzer ends the process itself: nobody would remove a temporary directory that is made here.
    corpus = Path(tempfile.gettempdir()) / f"pgclone-fuzz-{name}"
    corpus.mkdir(exist_ok=True)
    for number, example in enumerate(target.examples):
        (corpus / f"example-{number}").write_bytes(example)
    atheris.Setup([sys.argv[0], *arguments, str(corpus)], target.run)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
