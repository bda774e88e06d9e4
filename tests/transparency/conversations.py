"""COPY in all its endings, FunctionCall, notifications and pipelines: what clients say, by what it is about.

Each conversation is a list of what is sent before the next ReadyForQuery is waited for.
"""

from __future__ import annotations

from struct import pack

from tests.harness.wire import bind, execute, message, parse, query

SYNC, FLUSH, TERMINATE = message(b"S"), message(b"H"), message(b"X")
DONE, FAIL = message(b"c"), message(b"f", b"enough\0")
TABLE, COUNT = query("CREATE TEMP TABLE t (a text)"), query("SELECT count(*), sum(length(a)) FROM t")
NUMBERS = query("CREATE TEMP TABLE t (a int)")
COPY_IN = query("COPY t FROM STDIN")
EXTENDED_COPY_IN = parse("COPY t FROM STDIN") + bind() + execute()
BINARY = b"PGCOPY\n\xff\r\n\0" + pack("!II", 0, 0) + pack("!HI", 1, 1) + b"x" + pack("!h", -1)
LOREAD, TEXT_LENGTH, NO_FUNCTION = 954, 1257, 4


def data(text: str) -> bytes:
    """A CopyData."""
    return message(b"d", text.encode())


def call(function: int, argument: bytes) -> bytes:
    """A FunctionCall with one argument, and a result in text format."""
    return message(b"F", pack("!IHHHI", function, 1, 0, 1, len(argument)) + argument + pack("!H", 0))


def run(sql: str, *values: bytes) -> bytes:
    """A statement in the extended protocol, without Sync."""
    return parse(sql) + bind("", "", *values) + execute()


COPY = {
    "several in one Query": [
        TABLE,
        query("COPY t FROM STDIN; SELECT 1; COPY t FROM STDIN; COPY t TO STDOUT")
        + data("x\n")
        + DONE
        + data("y\n")
        + DONE,
        COUNT,
    ],
    "the first of several fails": [
        NUMBERS,
        query("COPY t FROM STDIN; COPY t FROM STDIN") + data("x\n") + DONE + data("1\n") + DONE,
        query("SELECT count(*) FROM t"),
    ],
    "in a block": [query("BEGIN"), TABLE, COPY_IN + data("x\n") + FAIL, COUNT, query("ROLLBACK"), query("SELECT 1")],
    "FREEZE, in the transaction that has made the table": [
        query("BEGIN; CREATE TABLE pg_temp.t (a text)"),
        query("COPY t FROM STDIN (FREEZE)") + data("x\n") + DONE,
        query("COMMIT"),
        COUNT,
    ],
    "FREEZE, too late": [TABLE, query("COPY t FROM STDIN (FREEZE)") + data("x\n") + DONE, COUNT],
    "binary": [TABLE, query("COPY t FROM STDIN (FORMAT binary)") + message(b"d", BINARY) + DONE, COUNT],
    "binary, cut off": [TABLE, query("COPY t FROM STDIN (FORMAT binary)") + message(b"d", BINARY[:-3]) + DONE, COUNT],
    "binary, out": [query("COPY (SELECT 1, NULL, 'x') TO STDOUT (FORMAT binary)")],
    "no data at all": [TABLE, COPY_IN + DONE, COUNT],
    "empty CopyData": [TABLE, COPY_IN + data("") * 3 + data("x\n") + data("") + DONE, COUNT],
    "a row in many messages": [TABLE, COPY_IN + b"".join(data(c) for c in "abcdef\n") + DONE, COUNT],
    "an end marker, and more behind it": [TABLE, COPY_IN + data("x\n\\.\ny\n") + data("z\n") + DONE, COUNT],
    "Sync and Flush in it": [TABLE, COPY_IN + SYNC + data("x\n") + FLUSH + SYNC + data("y\n") + DONE, COUNT],
    "Query in it": [TABLE, COPY_IN + data("x\n") + query("SELECT 1"), COUNT],
    "Parse in it": [TABLE, EXTENDED_COPY_IN + data("x\n") + parse("SELECT 1") + SYNC, COUNT],
    "late messages behind an error": [
        NUMBERS,
        COPY_IN + data("x\n"),
        data("1\n") * 3 + DONE + query("SELECT 1"),
        data("2\n") + FAIL + query("SELECT 2"),
    ],
    "late messages behind an error, extended": [
        NUMBERS,
        EXTENDED_COPY_IN + data("x\n") + data("1\n") * 3 + DONE + SYNC,
        query("SELECT count(*) FROM t"),
    ],
    "what belongs to none": [
        data("x\n") + DONE + FAIL + query("SELECT 1"),
        data("x\n") + run("SELECT 2") + DONE + SYNC,
    ],
    "extended": [TABLE, EXTENDED_COPY_IN + data("x\n") + DONE + SYNC, COUNT],
    "extended, failed by the client": [TABLE, EXTENDED_COPY_IN + data("x\n") + FAIL + SYNC, COUNT],
    "extended, in a pipeline": [
        TABLE,
        run("SELECT 1") + EXTENDED_COPY_IN + data("x\n") + DONE + run("SELECT 2") + run("COPY t TO STDOUT") + SYNC,
        COUNT,
    ],
    "extended, Syncs in it": [TABLE, EXTENDED_COPY_IN + SYNC + SYNC + data("x\n") + SYNC + DONE + SYNC, COUNT],
    "extended, out, with a limit of rows": [
        run("COPY (SELECT generate_series(1, 9)) TO STDOUT") + execute(rows=2) + SYNC
    ],
    "a long row": [TABLE, COPY_IN + data("x" * (3 << 20) + "\n") + DONE, COUNT],
    "Terminate in it": [TABLE, COPY_IN + data("x\n") + TERMINATE],
    "out, failing in the middle": [query("COPY (SELECT 1 / (1000 - g) FROM generate_series(1, 2000) g) TO STDOUT")],
    "our name in it": [TABLE, COPY_IN + data("pgclone_jobs_view\n") + DONE, query("COPY t TO STDOUT"), COUNT],
    "a table that is not there": [query("COPY nosuch FROM STDIN") + data("x\n") + DONE, query("SELECT 1")],
}

FUNCTIONS = {
    "a function": [call(TEXT_LENGTH, b"abc")],
    "several behind each other": [call(TEXT_LENGTH, b"abc") + query("SELECT 1"), call(TEXT_LENGTH, b"")],
    "one that is not there": [call(NO_FUNCTION, b"abc"), query("SELECT 1")],
    "one that fails": [call(LOREAD, b"abc"), query("SELECT 1")],
    "in a failed transaction": [query("BEGIN"), query("SELECT 1/0"), call(TEXT_LENGTH, b"abc"), query("ROLLBACK")],
    "in a pipeline": [run("SELECT 1") + call(TEXT_LENGTH, b"abc"), run("SELECT 2") + SYNC],
    "in a pipeline that has failed": [
        run("SELECT 1/0") + call(TEXT_LENGTH, b"abc") + run("SELECT 2") + SYNC,
        query("SELECT 3"),
    ],
}

PIPELINES = {
    "notifications in it": [
        query("LISTEN news"),
        run("NOTIFY news, 'a'") + run("SELECT 1") + SYNC + run("NOTIFY news, 'b'") + SYNC,
        query("SELECT 2"),
    ],
    "Query without a Sync before it": [run("SELECT 1") + query("SELECT 2"), query("SELECT 3")],
    "Query behind an error": [run("SELECT 1/0") + query("SELECT 2") + SYNC, query("SELECT 3")],
    "a transaction across Syncs": [
        run("BEGIN") + SYNC,
        run("SELECT 1/0") + SYNC,
        run("SELECT 1") + SYNC,
        run("ROLLBACK") + SYNC,
    ],
    "many Syncs": [SYNC, SYNC + run("SELECT 1") + SYNC, SYNC],
    "Close and Describe": [
        parse("SELECT $1::text", "s") + bind("p", "s", b"x") + message(b"D", b"Pp\0") + message(b"C", b"Pp\0") + SYNC,
        message(b"C", b"Ss\0") + message(b"C", b"Snosuch\0") + message(b"D", b"Ss\0") + SYNC,
    ],
    "the same name twice": [parse("SELECT 1", "s") + parse("SELECT 2", "s") + SYNC, bind("", "s") + execute() + SYNC],
    "settings in it": [run("SET application_name = 'a'") + run("SET client_encoding = 'LATIN1'") + SYNC],
}
