"""Reads the source that a call names: a conninfo, or a source of the configuration by its name.

`prod` and `source=prod dbname=shop` are such names; libpq would take neither, so no conninfo is misread.  What the
configuration has under a name, and who may use it, is the proxy's business.
"""

from __future__ import annotations

import re
from typing import Final

from clone_engine.asking.conninfo import parse_conninfo, read_keywords
from clone_engine.records.errors import PgError
from clone_engine.records.request import Conninfo

SOURCE: Final = "source"
"""The keyword, not one of libpq's, under which a conninfo holds the name."""
NAME: Final = r"[a-z][a-z0-9_]*"
REFERENCE = re.compile(rf"\s*{SOURCE}\s*=\s*(?P<name>{NAME})(?:\s(?P<added>.*))?|\s*(?P<word>{NAME})\s*", re.DOTALL)

ADDED: Final = ("dbname", "application_name", "connect_timeout")
"""Keywords that a caller may set beside a name.  Neither where it leads nor as whom; so not `options` either, which can
name a role."""


def read_source(text: str | None, caller_role: str) -> Conninfo:
    """What `text` names: connection parameters as `parse_conninfo` gives them, or `source` and what is added to it.

    PgError as `parse_conninfo` raises it, and 22023 for a keyword that cannot be added to a name.
    """
    reference = REFERENCE.fullmatch(text or "")
    if not reference:
        return parse_conninfo(text, caller_role)
    added = read_keywords(reference["added"] or "")
    if refused := [keyword for keyword in added if keyword not in ADDED]:
        raise PgError(
            "22023",
            f'pgclone: "{refused[0]}" cannot be added to the name of a source',
            detail="Where a named source is, and as whom it is read, is in the proxy's configuration.",
            hint=f"Leave it out. Allowed beside source=NAME are: {', '.join(ADDED)}.",
        )
    return Conninfo({SOURCE: reference["name"] or reference["word"], **added})
