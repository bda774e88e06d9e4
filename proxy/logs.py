"""How the proxy logs: one line an event on standard error, a sentence and its fields.

Nothing secret is ever handed to a logger; statements are not logged at all.  What libraries and asyncio log comes out
in the same form.  A value may hold whatever a client has sent: in no form does it begin a line of its own.
"""

from __future__ import annotations

import json
import logging
import sys
from functools import partial
from typing import Any

import structlog

from proxy.config import LogSettings

LOGGER = "pgclone-proxy"
"""The name of the logger that all our lines go through."""


def configure(settings: LogSettings, process: int = 0) -> None:
    """Have this process log so from now on, also those who have a logger already.

    `process` is its number, for lines of one of several.
    """
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    before: list[structlog.types.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                partial(_add_process, process),
                # Not the tracebacks that print local variables: one of them may be a password.
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer() if settings.format == "json" else text_line,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(level, logging.WARNING))  # others' finer lines might tell anything
    logging.getLogger(LOGGER).setLevel(level)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *before,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=lambda *_: logging.getLogger(LOGGER),
    )


def _add_process(process: int, _: Any, __: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    return {**event, "process": process} if process else event


def text_line(_: Any, __: str, event: structlog.types.EventDict) -> str:
    """The event for people: time, level, sentence and the fields that are not empty; a traceback is indented below."""
    fields = dict(event)
    start = f"{fields.pop('timestamp')} {fields.pop('level'):<8} {_printable(str(fields.pop('event')))}"
    trace = str(fields.pop("exception", ""))
    shown = [f"{name}={_value(value)}" for name, value in fields.items() if value not in (None, "", (), [])]
    below = [f"    {_printable(line)}" for line in trace.splitlines()]
    return "\n".join([" ".join([start, *shown]), *below])


def _value(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    plain = not isinstance(value, str) or (text.isprintable() and not any(c in ' "=\\' for c in text))
    return text if plain else json.dumps(text, ensure_ascii=not text.isprintable())


def _printable(text: str) -> str:
    return text if text.isprintable() else json.dumps(text)[1:-1]
