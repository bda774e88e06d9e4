"""Every phase that the code names is in the table."""

from __future__ import annotations

import re

from clone_engine.records.phases import PHASES
from tests.docs.repository import ROOT


def test_every_phase_that_steps_have_is_in_the_table() -> None:
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "clone_engine").rglob("*.py")]
    named = {name for text in texts for name in re.findall(r'phase="([^"]+)"', text)}
    given = {name for text in texts for name in re.findall(r'\s"((?:creating|copying) [a-z]+)",', text)}
    assert named and given
    assert named | given <= PHASES.keys()
