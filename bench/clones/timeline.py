"""Which statement each backend of the target is at while a clone runs: seen by looking again and again.

As text, and as SVG with a row for each backend.
"""

from __future__ import annotations

import re
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from xml.sax.saxutils import quoteattr

import psycopg

LOOK = 0.02
"""Seconds between two looks."""
QUERY = """
SELECT pid, query FROM pg_stat_activity
WHERE datname = %s AND pid <> pg_backend_pid() AND backend_type = 'client backend' AND xact_start IS NOT NULL
"""
KINDS = (
    (r'\s*COPY "?\w+"?\."?(?P<what>\w+)', "copy"),
    (r'\s*CREATE (?:UNIQUE )?INDEX "?(?P<what>\w+)', "index"),
    (r'\s*ALTER TABLE .* ADD CONSTRAINT "?(?P<what>\w+)"? FOREIGN KEY', "foreign key"),
    (r'\s*ALTER TABLE .* ADD CONSTRAINT "?(?P<what>\w+)"?', "constraint"),
    (r'\s*ANALYZE "?\w+"?\."?(?P<what>\w+)', "analyze"),
    (r'\s*REFRESH MATERIALIZED VIEW "?\w+"?\."?(?P<what>\w+)', "refresh"),
    (r"\s*(?P<what>COMMIT|BEGIN)", "transaction"),
    (r"\s*(?P<what>\w+ ?\w*)", "other"),
)
COLOURS = {
    "copy": "#4878a8",
    "index": "#e08a3c",
    "constraint": "#c8b040",
    "foreign key": "#b04848",
    "analyze": "#58a068",
    "refresh": "#8868a8",
    "transaction": "#777777",
    "other": "#aaaaaa",
}
WIDTH, ROW = 1200, 26


class Span(NamedTuple):
    """A backend at one statement: from the first look to the last that saw it there, in seconds of the clone."""

    backend: int
    kind: str
    what: str
    begin: float
    end: float


class Watching:
    """Looks at a database of a server until the end of the block; `spans` has then what was seen."""

    def __init__(self, conninfo: str, database: str) -> None:
        self.spans: list[Span] = []
        self._conninfo = conninfo
        self._database = database
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Watching:
        self._since = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        open_: dict[int, Span] = {}
        with psycopg.connect(self._conninfo, autocommit=True) as connection:
            while not self._over.wait(LOOK):
                rows = connection.execute(QUERY.encode(), (self._database,), prepare=True).fetchall()
                now = time.monotonic() - self._since
                seen = {pid: _label(query) for pid, query in rows}
                for pid, span in list(open_.items()):
                    if seen.get(pid) != (span.kind, span.what):
                        self.spans.append(open_.pop(pid))
                for pid, (kind, what) in seen.items():
                    begin = open_[pid].begin if pid in open_ else max(0.0, now - LOOK)
                    open_[pid] = Span(pid, kind, what, begin, now)
        self.spans += open_.values()
        self.spans.sort(key=lambda span: span.begin)


def as_text(spans: Sequence[Span], least: float = 0.1) -> str:
    """Sums by kind, then a line for each span of at least so many seconds."""
    sums: defaultdict[str, float] = defaultdict(float)
    for span in spans:
        sums[span.kind] += span.end - span.begin
    lines = [f"{kind:<12} {seconds:7.2f} s" for kind, seconds in sorted(sums.items(), key=lambda one: -one[1])]
    lines += ["", "backend    from      to  what"]
    lines += [
        f"{span.backend:>7} {span.begin:7.2f} {span.end:7.2f}  {span.kind} {span.what}"
        for span in spans
        if span.end - span.begin >= least
    ]
    return "\n".join(lines) + "\n"


def as_svg(spans: Sequence[Span]) -> str:
    """A row for each backend, a rectangle for each span, whose words show when it is pointed at."""
    backends = list(dict.fromkeys(span.backend for span in spans))
    last = max((span.end for span in spans), default=1.0)
    scale = WIDTH / last
    height = ROW * (len(backends) + 1)
    body = [*_seconds(last, scale, height), *_key(height)]
    for span in spans:
        words = f"{span.kind} {span.what}: {span.begin:.2f} to {span.end:.2f} s"
        place = f'x="{span.begin * scale:.1f}" y="{ROW * backends.index(span.backend) + 3}"'
        size = f'width="{max(0.5, (span.end - span.begin) * scale):.1f}" height="{ROW - 6}"'
        title = f"<title>{quoteattr(words)[1:-1]}</title>"
        body.append(f'<rect {place} {size} fill="{COLOURS[span.kind]}">{title}</rect>')
    whole = f'viewBox="0 0 {WIDTH} {height + ROW}" font-family="sans-serif" font-size="11"'
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" {whole}>', *body, "</svg>"]) + "\n"


def _label(query: str) -> tuple[str, str]:
    for pattern, kind in KINDS:
        if match := re.match(pattern, query, re.IGNORECASE | re.DOTALL):
            return kind, match["what"]
    return "other", ""


def _seconds(last: float, scale: float, height: int) -> Iterable[str]:
    for second in range(int(last) + 1):
        x = second * scale
        yield f'<path d="M{x:.1f} 0V{height - ROW}" stroke="#dddddd"/>'
        yield f'<text x="{x + 2:.1f}" y="{height - 8}">{second} s</text>'


def _key(height: int) -> Iterable[str]:
    for place, (kind, colour) in enumerate(COLOURS.items()):
        yield f'<rect x="{place * 110}" y="{height + 4}" width="12" height="12" fill="{colour}"/>'
        yield f'<text x="{place * 110 + 16}" y="{height + 14}">{kind}</text>'
