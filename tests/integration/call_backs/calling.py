"""Functions, views and triggers on the server that call ours, and what the tests ask of a session."""

from __future__ import annotations

from typing import Any

import psycopg

Connection = psycopg.Connection[tuple[Any, ...]]
SOURCE = "host=127.0.0.1 port=1"
DEFINITIONS = f"""
CREATE FUNCTION started(name text) RETURNS integer LANGUAGE plpgsql AS $$
    BEGIN RETURN pgclone_schema_async('{SOURCE}', name); END $$;
CREATE FUNCTION answers(sql text) RETURNS text LANGUAGE plpgsql AS $$
    DECLARE answer text; BEGIN EXECUTE sql INTO answer; RETURN answer; END $$;
CREATE FUNCTION runs(sql text) RETURNS boolean LANGUAGE plpgsql AS $$
    BEGIN EXECUTE sql; RETURN true; EXCEPTION WHEN OTHERS THEN RETURN false; END $$;
CREATE FUNCTION stable() RETURNS text STABLE LANGUAGE sql BEGIN ATOMIC SELECT pgclone_version(); END;
CREATE VIEW their_jobs AS SELECT v.job_id, v.schema_name FROM pgclone_jobs_view v;
CREATE TABLE wanted (name text, job integer DEFAULT pgclone.schema_async('{SOURCE}', 'by_default'));
CREATE FUNCTION start_it() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN NEW.job := pgclone_schema_async('{SOURCE}', NEW.name); RETURN NEW; END $$;
CREATE TABLE triggering (name text, job integer);
CREATE TRIGGER t BEFORE INSERT ON triggering FOR EACH ROW EXECUTE FUNCTION start_it();
"""


def value(connection: Connection, sql: str) -> Any:
    row = connection.execute(sql.encode()).fetchone()
    assert row is not None
    return row[0]


def schemas(connection: Connection) -> list[str]:
    """The schemas of all jobs, in order, as the proxy knows them."""
    return [name for (name,) in connection.execute("SELECT schema_name FROM pgclone_jobs_view ORDER BY job_id")]
