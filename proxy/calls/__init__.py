"""pgclone in SQL: which statements are ours, what the server is sent instead, and what the calls in them do.

filter → parsing (tokens) → occurrences (names) → rules (shapes, refusals) → splicer (arguments, expressions, splice) →
rewritten; `statement` goes these steps for one statement and `rewrite` for a string, the way in.  `recording` reads
what a statement's calls left behind, `call_backs` what stubs say, `snapshot` answers what reads, `handlers` performs
actions, `ownership` asks whose a name is, `signatures` is the table of functions.  No bytes, no sockets.
"""
