"""Where the files of the repository are, for the tests that read them."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def text(name: str) -> str:
    """The text of a file by its path from the root."""
    return (ROOT / name).read_text(encoding="utf-8")


def files() -> list[Path]:
    """All files under version control; in a tree without git, all but hidden and made ones."""
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        listed = ""
    if listed:
        found = [ROOT / name for name in listed.split("\0") if name]
    else:
        made = {"build", "__pycache__"}
        found = [
            p for p in ROOT.rglob("*") if not any(x.startswith(".") or x in made for x in p.relative_to(ROOT).parts)
        ]
    return [path for path in found if path.is_file()]
