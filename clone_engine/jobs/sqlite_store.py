"""The job store in a SQLite file, next to the proxy.

One process owns the file (`store_file.py`).  Job processes never open it.
All work is done by one thread, so that a slow disk delays jobs and never the connections that pass through.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from clone_engine.jobs.store_file import RESTORE, failure, find, take
from clone_engine.records.job_store import Seal, StoreError
from clone_engine.records.jobs import Job, Outcome, Progress
from clone_engine.records.request import CloneRequest, Conninfo

T = TypeVar("T")

FIRST_SCHEMA = """
CREATE TABLE job (
    job_id            INTEGER PRIMARY KEY AUTOINCREMENT,  -- AUTOINCREMENT: ids of removed jobs are not used again
    owner             TEXT NOT NULL,
    database          TEXT NOT NULL,
    request           TEXT NOT NULL,     -- JSON
    source            TEXT NOT NULL,     -- JSON, without secrets
    source_had_secret INTEGER NOT NULL,
    status            TEXT NOT NULL,
    progress          TEXT NOT NULL,     -- JSON
    submitted_at      REAL NOT NULL,     -- seconds since the epoch, as the other times
    started_at        REAL,
    ended_at          REAL,
    sqlstate          TEXT NOT NULL,
    error             TEXT NOT NULL,
    resumed_from      INTEGER NOT NULL
);
CREATE TABLE step (
    ordinal INTEGER PRIMARY KEY,
    job_id  INTEGER NOT NULL REFERENCES job ON DELETE CASCADE,
    key     TEXT NOT NULL,
    done    INTEGER NOT NULL,            -- 0: begun
    UNIQUE (job_id, key)
);
CREATE TABLE outcome (
    ordinal  INTEGER PRIMARY KEY,
    job_id   INTEGER NOT NULL REFERENCES job ON DELETE CASCADE,
    object   TEXT NOT NULL,
    result   TEXT NOT NULL,
    sqlstate TEXT NOT NULL,
    message  TEXT NOT NULL
);
CREATE INDEX outcome_job ON outcome (job_id);
"""
MIGRATIONS: tuple[str, ...] = (
    FIRST_SCHEMA,
    # Jobs of before are not gone on with: nobody was told that they would be.
    "ALTER TABLE job ADD COLUMN to_go_on INTEGER NOT NULL DEFAULT 0;",
    # Which steps were under way is in the target's journal.  (Not every SQLite can drop a column.)
    """
    CREATE TABLE done (
        ordinal INTEGER PRIMARY KEY,
        job_id  INTEGER NOT NULL REFERENCES job ON DELETE CASCADE,
        key     TEXT NOT NULL,
        UNIQUE (job_id, key)
    );
    INSERT INTO done SELECT ordinal, job_id, key FROM step WHERE done;
    DROP TABLE step;
    """,
    """
    CREATE TABLE secret (
        job_id INTEGER PRIMARY KEY REFERENCES job ON DELETE CASCADE,
        sealed BLOB NOT NULL
    );
    """,
    "ALTER TABLE job ADD COLUMN crashes INTEGER NOT NULL DEFAULT 0;",
)
"""What makes a file of each schema version from one of the version before; the first, a new file."""
RESERVE = "UPDATE sqlite_sequence SET seq = seq + ? WHERE name = 'job'"
"""Leaves the numbers behind the newest job's to its workers."""
SCHEMA_VERSION = len(MIGRATIONS)
SET_VERSION = f"PRAGMA user_version = {SCHEMA_VERSION};"
NEW = "".join(MIGRATIONS) + SET_VERSION
LOG_BYTES = 4 * 1024 * 1024
"""What the write-ahead log shrinks to once nobody reads in it: it is written back to the file at about this size, but
grows as long as a reader's transaction needs what is in it."""
BUSY_MILLISECONDS = 5000
"""How long the store waits for somebody who looks into its file with another program."""
COLUMNS = (
    "owner",
    "database",
    "request",
    "source",
    "source_had_secret",
    "status",
    "progress",
    "submitted_at",
    "started_at",
    "ended_at",
    "sqlstate",
    "error",
    "resumed_from",
    "to_go_on",
    "crashes",
)
INSERT_JOB = f"INSERT INTO job ({', '.join(COLUMNS)}) VALUES ({', '.join(':' + c for c in COLUMNS)})"
UPDATE_JOB = f"UPDATE job SET {', '.join(f'{c} = :{c}' for c in COLUMNS)} WHERE job_id = :job_id"
SAVE_DONE = "INSERT INTO done (job_id, key) VALUES (?, ?) ON CONFLICT DO NOTHING"
REMOVE_DONE = "DELETE FROM done WHERE job_id = ? AND key = ?"
SAVE_SECRET = "INSERT INTO secret (job_id, sealed) VALUES (?, ?)"
SAVE_OUTCOME = "INSERT INTO outcome (job_id, object, result, sqlstate, message) VALUES (?, ?, ?, ?, ?)"


class SqliteStore:
    """A JobStore in the file `path`, which is made, readable by its owner only, if it does not exist."""

    def __init__(self, path: Path) -> None:
        self._path = Path(os.path.realpath(path))  # SQLite goes by that, so the lock must
        self._thread: ThreadPoolExecutor | None = None
        self._connection: sqlite3.Connection | None = None
        self._lock: int | None = None

    def __repr__(self) -> str:
        return f"<SqliteStore {self._path} {'open' if self._thread else 'closed'}>"

    async def open(self) -> None:
        if self._thread:
            return
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="job-store")
        try:
            await self._do(self._open)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        if not self._thread:
            return
        thread, self._thread = self._thread, None
        await asyncio.get_running_loop().run_in_executor(thread, self._close)
        thread.shutdown()

    async def load(self) -> list[Job]:
        return await self._do(lambda: [_job(row) for row in self._rows("SELECT * FROM job ORDER BY job_id")])

    async def add(self, job: Job, done: Sequence[str] = (), seal: Seal | None = None) -> Job:
        def work() -> Job:
            with self._transaction() as connection:
                job_id = connection.execute(INSERT_JOB, _columns(job)).lastrowid
                assert job_id is not None, "an INSERT has one"
                connection.execute(RESERVE, (job.request.workers,))
                connection.executemany(SAVE_DONE, [(job_id, key) for key in done])
                if seal:
                    connection.execute(SAVE_SECRET, (job_id, seal(job_id)))
            return msgspec.structs.replace(job, job_id=job_id, source=job.source.without_secrets())

        return await self._do(work)

    async def save(
        self, job: Job, *, done: Sequence[str] = (), undone: Sequence[str] = (), outcomes: Sequence[Outcome] = ()
    ) -> None:
        def work() -> None:
            with self._transaction() as connection:
                if not connection.execute(UPDATE_JOB, {**_columns(job), "job_id": job.job_id}).rowcount:
                    raise StoreError(f"job store has no job {job.job_id}")
                connection.executemany(SAVE_DONE, [(job.job_id, key) for key in done])
                connection.executemany(REMOVE_DONE, [(job.job_id, key) for key in undone])
                connection.executemany(
                    SAVE_OUTCOME, [(job.job_id, o.object, o.result, o.sqlstate, o.message) for o in outcomes]
                )

        await self._do(work)

    async def done(self, job_id: int) -> tuple[str, ...]:
        rows = await self._do(lambda: self._rows("SELECT key FROM done WHERE job_id = ? ORDER BY ordinal", job_id))
        return tuple(row["key"] for row in rows)

    async def outcomes(self, job_id: int) -> list[Outcome]:
        sql = "SELECT object, result, sqlstate, message FROM outcome WHERE job_id = ? ORDER BY ordinal"
        rows = await self._do(lambda: self._rows(sql, job_id))
        return [Outcome(*row) for row in rows]

    async def remove(self, job_ids: Iterable[int]) -> None:
        def work() -> None:
            with self._transaction() as connection:
                connection.executemany("DELETE FROM job WHERE job_id = ?", [(job_id,) for job_id in job_ids])
            self._erase()

        await self._do(work)

    async def sealed(self) -> dict[int, bytes]:
        rows = await self._do(lambda: self._rows("SELECT job_id, sealed FROM secret ORDER BY job_id"))
        return {row["job_id"]: row["sealed"] for row in rows}

    async def forget(self, job_ids: Iterable[int]) -> None:
        def work() -> None:
            with self._transaction() as connection:
                connection.executemany("DELETE FROM secret WHERE job_id = ?", [(job_id,) for job_id in job_ids])
            self._erase()

        await self._do(work)

    async def _do(self, work: Callable[[], T]) -> T:
        """Run `work` in the store's thread, its errors turned into StoreError."""
        if not self._thread:
            raise StoreError(f"job store {self._path} is not open")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except (OSError, sqlite3.Error) as error:
            raise failure(self._path, error) from error

    # What follows runs in the store's thread only.

    def _open(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = take(self._path)
        find(self._path, NEW)
        connection = self._connection = sqlite3.connect(self._path, isolation_level=None)
        connection.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA journal_mode = WAL")
        # FULL: an id that a client has seen survives a power cut, so it is never given again.
        connection.execute("PRAGMA synchronous = FULL")
        # What is deleted is overwritten: whoever gets hold of the key later must find nothing to open with it.
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute(f"PRAGMA journal_size_limit = {LOG_BYTES}")
        self._check(connection)
        self._migrate(connection)

    def _migrate(self, connection: sqlite3.Connection) -> None:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if not version:
            raise StoreError(f"job store {self._path} is a database of something else; choose another file")
        if version > SCHEMA_VERSION:
            raise StoreError(
                f"job store {self._path} has schema version {version}; this program knows {SCHEMA_VERSION}"
            )
        if version < SCHEMA_VERSION:
            steps = "".join(MIGRATIONS[version:])
            connection.executescript(f"BEGIN IMMEDIATE; {steps} {SET_VERSION} COMMIT;")

    def _check(self, connection: sqlite3.Connection) -> None:
        """A damaged file must not pass for a shorter list of jobs."""
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise StoreError(f"job store {self._path} is damaged ({found.splitlines()[-1]}); {RESTORE}")

    def _close(self) -> None:
        if self._connection:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _rows(self, sql: str, *parameters: Any) -> list[sqlite3.Row]:
        assert self._connection is not None
        return self._connection.execute(sql, parameters).fetchall()

    def _erase(self) -> None:
        """Have the log too forget what was deleted.

        If a reader or the disk is in the way, it does so at the next time: the transaction is committed already."""
        assert self._connection is not None
        self._connection.execute("PRAGMA busy_timeout = 0")
        with suppress(sqlite3.Error):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._connection.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        assert self._connection is not None
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield self._connection
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise


def _columns(job: Job) -> dict[str, Any]:
    columns = {column: getattr(job, column) for column in COLUMNS}
    return columns | {
        "request": msgspec.json.encode(job.request).decode(),
        "source": msgspec.json.encode(job.source.without_secrets().parameters).decode(),
        "progress": msgspec.json.encode(job.progress).decode(),
    }


def _job(row: sqlite3.Row) -> Job:
    try:
        return msgspec.convert(
            {
                **dict(row),
                "source_had_secret": bool(row["source_had_secret"]),
                "to_go_on": bool(row["to_go_on"]),
                "request": msgspec.json.decode(row["request"], type=CloneRequest),
                "source": Conninfo(msgspec.json.decode(row["source"], type=dict[str, str])),
                "progress": msgspec.json.decode(row["progress"], type=Progress),
            },
            Job,
        )
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise StoreError(f"job store has an unreadable record of job {row['job_id']}: {error}") from error
