"""Whether a statement can be ours, without building its tree: most statements must cost next to nothing.

First the bytes, then the parser's JSON.  Both may say yes too often and never no for a statement of ours; what passes
is looked at in full by `rewrite.py`.
"""

from __future__ import annotations

import json
import re

from pglast.parser import ParseError, parse_sql_json

from proxy.calls.parsing import readable

NAMED = re.compile(
    r'"(?:funcname":\[\{"String":\{"sval":"(?:(?:[^"\\]|\\.)*"\}\},\{"String":\{"sval":"){0,2}pgclone["_]'
    r'|relname":"pgclone_|schemaname":"pgclone"|extname":"pgclone")'
)
"""A function, relation or extension whose name begins as ours do.  Quotes in the client's literals are escaped in the
JSON, so that none of them can look like this."""

EXECUTED = re.compile(r'"ExecuteStmt":\{"name":("(?:[^"\\]|\\.)*")')


def may_name_ours(body: bytes, *, prepared: bool) -> bool:
    """Whether these bytes of a Query or Parse can name anything of ours, in any client encoding.

    `prepared`: the session has prepared a statement of ours in SQL, so that EXECUTE matters too.
    """
    # Lower-casing all of it beats a case-insensitive search several times over.
    lower = body.lower()
    return b"pgclone" in lower or b'u&"' in lower or (prepared and b"execute" in lower)


def names_ours(sql: str, *, prepared: frozenset[str]) -> bool:
    """Whether the parser sees a name like ours, or EXECUTE of a name in `prepared`.

    False for what the parser does not understand: the server words its own syntax errors.
    """
    if not readable(sql):
        return False
    try:
        tree = parse_sql_json(sql)
    except (ParseError, ValueError):  # ValueError: characters that no encoding has
        return False
    if NAMED.search(tree):
        return True
    return bool(prepared) and any(json.loads(name) in prepared for name in EXECUTED.findall(tree))
