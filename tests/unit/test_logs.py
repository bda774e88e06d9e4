"""Lines of the log, whatever a client has put into them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from proxy.config import LogSettings
from proxy.connection_log import address
from proxy.logs import LOGGER, configure, text_line

HEAD = {"timestamp": "T", "level": "info", "event": "said"}

VALUES = {
    "plain": ("alice", "alice"),
    "a number": (7, "7"),
    "a list": (["a", "b c"], '["a", "b c"]'),
    "a space": ("a b", '"a b"'),
    "looks like a field": ("a=b", '"a=b"'),
    "a quote": ('a"b', '"a\\"b"'),
    "a new line": ("a\nT error    forged", '"a\\nT error    forged"'),
    "colours": ("\x1b[31m", '"\\u001b[31m"'),
    "C1 controls": ("\x9b31m", '"\\u009b31m"'),
    "a line separator": ("\u2028", '"\\u2028"'),
    "right to left": ("\u202e", '"\\u202e"'),
    "not UTF-8": ("\udce9", '"\\udce9"'),
    "letters": ("é漢", "é漢"),
}


@pytest.mark.parametrize("name", VALUES)
def test_a_value_is_one_word_of_the_line(name: str) -> None:
    value, shown = VALUES[name]
    assert text_line(None, "", {**HEAD, "user": value}) == f"T info     said user={shown}"


def test_empty_fields_are_left_out_and_tracebacks_are_indented() -> None:
    event = {**HEAD, "error": None, "sqlstate": "", "exception": "Traceback:\nE: a\x1b\nT error    forged"}
    assert text_line(None, "", event) == "T info     said\n    Traceback:\n    E: a\\u001b\n    T error    forged"


PEERS = [(("127.0.0.1", 5), "127.0.0.1:5"), (("::1", 5, 0, 0), "[::1]:5"), ("", "[local]"), (None, "[local]")]


@pytest.mark.parametrize(("peer", "shown"), PEERS)
def test_addresses(peer: object, shown: str) -> None:
    assert address(peer) == shown


@pytest.fixture
def as_before() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger(LOGGER)
    kept = root.handlers, root.level, ours.level
    yield
    root.handlers, _, _ = kept
    root.setLevel(kept[1])
    ours.setLevel(kept[2])
    structlog.reset_defaults()


@pytest.mark.usefixtures("as_before")
def test_json_has_the_lines_of_others_too_and_levels_change_for_loggers_that_are_there(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure(LogSettings(level="info", format="json"), 3)
    logger = structlog.get_logger().bind(connection=1)
    logger.debug("not said")
    logger.info("said", user="a\nb")
    logging.getLogger("asyncio").warning("a warning of %s", "asyncio")
    logging.getLogger("psycopg").info("not said: it might tell anything")
    configure(LogSettings(level="debug", format="json"))
    logger.debug("said now")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert all(line.pop("timestamp") for line in lines)
    assert lines == [
        {"event": "said", "level": "info", "connection": 1, "user": "a\nb", "process": 3},
        {"event": "a warning of asyncio", "level": "warning", "process": 3},
        {"event": "said now", "level": "debug", "connection": 1},
    ]
