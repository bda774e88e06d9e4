"""How the proxy logs: one line an event on standard error, a sentence and its fields.

Nothing secret is ever handed to a logger; statements are not logged at all.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog

from proxy.config import LogSettings


def configure(settings: LogSettings, process: int = 0) -> None:
    """Set up logging for this process, once, at its start.  `process` is its number, for lines of one of several."""

    def add_process(_: Any, __: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
        return {**event, "process": process} if process else event

    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer()
        if settings.format == "json"
        # Not the default tracebacks: those print local variables, and one of them may be a password.
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    structlog.configure(
        processors=[
            add_process,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[settings.level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
