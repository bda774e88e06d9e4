--# What the proxy refuses, and what it leaves to the server.
--# Format: see interception.sql.
--@ B001 | both | error=55000 pos=13 differs=refused | write: INSERT SELECT
INSERT INTO pgclone_jobs_view SELECT * FROM pgclone_jobs_view
--@ B002 | both | error=55000 pos=13 differs=refused | write: INSERT with columns and RETURNING
INSERT INTO public.pgclone_jobs_view (job_id) VALUES (9) RETURNING job_id
--@ B003 | both | error=55000 pos=8 differs=refused | write: UPDATE with an alias
UPDATE pgclone_jobs_view AS v SET status = 'x' WHERE v.job_id = 7
--@ B004 | both | error=55000 pos=13 differs=refused | write: DELETE with USING
DELETE FROM pgclone_jobs_view USING pg_class WHERE false
--@ B005 | both | error=55000 pos=12 differs=refused | write: MERGE
MERGE INTO pgclone_jobs_view v USING (VALUES (7)) x(i) ON v.job_id = x.i WHEN MATCHED THEN DELETE
--@ B006 | both | error=55000 pos=24 differs=refused | write: in a CTE
WITH d AS (DELETE FROM pgclone_jobs_view RETURNING *) SELECT * FROM d
--@ B007 | both | error=55000 pos=21 differs=refused | write: EXPLAIN of it
EXPLAIN DELETE FROM pgclone_jobs_view
--@ B008 | simple | error=55000 pos=29 differs=refused | write: PREPARE of it
PREPARE b008 AS DELETE FROM pgclone_jobs_view
--@ B009 | both | error=42P01 | TRUNCATE is the server's
TRUNCATE pgclone_no_such_table
--@ B010 | simple | error=42809 | COPY TO of the view
COPY pgclone_jobs_view TO STDOUT
--@ B010a | ext | error=42809 differs=refused | the same, by Parse already
COPY pgclone_jobs_view TO STDOUT
--@ B011 | simple | error=42809 | COPY TO of columns of the view
COPY public.pgclone_jobs_view (job_id) TO STDOUT WITH (FORMAT csv)
--@ B012 | both | error=42809 differs=refused | COPY FROM
COPY pgclone_jobs_view FROM STDIN
--@ B013 | both | error=42601 pos=15 differs=refused | TABLESAMPLE
SELECT * FROM pgclone_jobs_view TABLESAMPLE SYSTEM (10)
--@ B014 | both | error=42601 pos=15 differs=refused | TABLESAMPLE of an aliased view
SELECT * FROM public.pgclone_jobs_view v TABLESAMPLE BERNOULLI (10) REPEATABLE (1)
--@ B015 | simple | error=0A000 pos=35 differs=refused | stored: view
CREATE VIEW b015 AS SELECT * FROM pgclone_jobs_view
--@ B016 | simple | error=0A000 pos=44 differs=refused | stored: OR REPLACE TEMP VIEW with a function
CREATE OR REPLACE TEMP VIEW b016 AS SELECT pgclone_version()
--@ B017 | simple | error=0A000 pos=78 differs=refused | stored: rule
CREATE TABLE b017 (a int); CREATE RULE r AS ON INSERT TO b017 DO ALSO SELECT pgclone_version()
--@ B018 | simple | error=0A000 pos=39 differs=refused | stored: check constraint
CREATE TABLE b018 (a text CHECK (a <> pgclone_version()))
--@ B019 | simple | error=0A000 pos=55 differs=refused | stored: generated column
CREATE TABLE b019 (a int, b text GENERATED ALWAYS AS (pgclone_version()) STORED)
--@ B020 | simple | error=0A000 pos=66 differs=refused | stored: ALTER TABLE default
CREATE TABLE b020 (a text); ALTER TABLE b020 ALTER a SET DEFAULT pgclone_version()
--@ B021 | simple | error=0A000 pos=28 differs=refused | stored: index expression
CREATE INDEX ON pg_class ((pgclone_version()))
--@ B022 | simple | error=0A000 pos=38 differs=refused | stored: index predicate
CREATE INDEX ON pg_class (oid) WHERE pgclone_version() <> ''
--@ B023 | simple | error=0A000 pos=44 differs=refused | stored: domain
CREATE DOMAIN b023 AS text CHECK (VALUE <> pgclone_version())
--@ B024 | simple | error=0A000 pos=36 differs=refused | stored: domain default
CREATE DOMAIN b024 AS text DEFAULT pgclone_version()
--@ B025 | simple | error=0A000 pos=59 differs=refused | stored: policy
CREATE TABLE b025 (a int); CREATE POLICY p ON b025 USING (pgclone_version() <> '')
--@ B026 | simple | error=0A000 pos=86 differs=refused | stored: trigger condition
CREATE TABLE b026 (a int); CREATE TRIGGER t BEFORE UPDATE ON b026 FOR EACH ROW WHEN (pgclone_version() <> '') EXECUTE FUNCTION suppress_redundant_updates_trigger()
--@ B027 | simple | error=0A000 pos=57 differs=refused | stored: function body by RETURN
CREATE FUNCTION b027() RETURNS text LANGUAGE sql RETURN pgclone_version()
--@ B028 | simple | error=0A000 pos=37 differs=refused | stored: default of an argument
CREATE FUNCTION b028(a text DEFAULT pgclone_version()) RETURNS text LANGUAGE sql AS 'SELECT a'
--@ B029 | simple | error=0A000 pos=72 differs=refused | stored: procedure with BEGIN ATOMIC
CREATE PROCEDURE b029() LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM pgclone_jobs_view; END
--@ B030 | simple | error=0A000 pos=53 differs=refused | stored: partition bound
CREATE TABLE b030 (a text) PARTITION BY LIST ((a || pgclone_version()))
--@ B031 | simple | error=0A000 pos=51 differs=refused | stored: schema with a view in it
CREATE SCHEMA b031 CREATE VIEW v AS SELECT * FROM public.pgclone_jobs_view
--@ B032 | simple | error=0A000 pos=56 differs=refused | stored: EXPLAIN of a materialized view
EXPLAIN CREATE MATERIALIZED VIEW b032 AS SELECT * FROM pgclone_jobs_view
--@ B033 | simple | error=0A000 pos=61 differs=refused | stored: publication filter
CREATE PUBLICATION b033 FOR TABLE pg_class WHERE (relname = pgclone_version())
--@ B034 | ext | error=0A000 pos=27 differs=refused | stored: by Parse
CREATE VIEW b034 AS TABLE pgclone_jobs_view
--@ B035 | simple | tag=CREATE_S_FUNCTION | a string body is not looked into
CREATE FUNCTION pg_temp.b035() RETURNS text LANGUAGE plpgsql AS $$BEGIN RETURN pgclone_version(); END$$
--@ B036 | both | error=0A000 pos=26 differs=refused | ROWS FROM
SELECT * FROM ROWS FROM (pgclone_progress_detail())
--@ B037 | both | error=0A000 pos=49 differs=refused | ROWS FROM with others
SELECT * FROM ROWS FROM (generate_series(1, 2), pgclone_version())
--@ B038 | both | error=0A000 pos=15 differs=refused | ordinality with an alias
SELECT * FROM pgclone_progress_detail() WITH ORDINALITY AS d(a)
--@ B039 | both | error=0A000 pos=20 differs=refused | set-returning as an argument
SELECT row_to_json(pgclone_progress_detail())
--@ B040 | both | error=0A000 pos=9 differs=refused | set-returning, field of it
SELECT (pgclone_progress_detail()).status
--@ B041 | both | error=0A000 pos=16 differs=refused | set-returning in WHERE
SELECT 1 WHERE pgclone_progress_detail() IS NULL
--@ B042 | both | error=0A000 pos=42 differs=refused | cursor over an action
DECLARE b042 CURSOR WITH HOLD FOR SELECT pgclone_schema_async('c', 'x')
--@ B043 | both | error=0A000 pos=24 differs=refused | EXPLAIN ANALYZE of an action
EXPLAIN ANALYZE SELECT pgclone_schema_async('c', 'x')
--@ B044 | both | error=0A000 pos=40 differs=refused | EXPLAIN (ANALYZE on)
EXPLAIN (ANALYZE on, COSTS off) SELECT pgclone_cancel(7)
--@ B045 | both | error=0A000 pos=28 differs=refused | EXPLAIN (ANALYZE 1)
EXPLAIN (ANALYZE 1) SELECT pgclone_cancel(7)
--@ B046 | both | rows=1 type=25 val=Function_S_Scan_S_on_S_jsonb_array_elements_S_job differs=plan | EXPLAIN (ANALYZE false)
EXPLAIN (ANALYZE false, COSTS off) SELECT pgclone_cancel(7) FROM pgclone_jobs_view
--@ B047 | both | rows=1 type=25 differs=plan | the last one counts
EXPLAIN (ANALYZE, ANALYZE off) SELECT pgclone_cancel(7) FROM pgclone_jobs_view
--@ B048 | simple | error=0A000 pos=45 differs=refused | EXPLAIN ANALYZE of CREATE TABLE AS
EXPLAIN ANALYZE CREATE TABLE b048 AS SELECT pgclone_schema_async('c', 'x') AS j
--@ B049 | both | error=0A000 pos=14 differs=refused | COPY of an action to a program
COPY (SELECT pgclone_cancel(7)) TO PROGRAM 'cat'
--@ B050 | both | error=0A000 pos=41 differs=refused | COPY of an INSERT with an action
COPY (INSERT INTO pg_temp.nosuch SELECT pgclone_cancel(7) RETURNING *) TO STDOUT
--@ B051 | both | error=42883 pos=6 | CALL of a procedure of ours
CALL pgclone_nosuch('c', 'x')
--@ B052.1 | simple | tag=CREATE_S_PROCEDURE tx=I | a procedure
CREATE PROCEDURE b052(text, INOUT x int) LANGUAGE plpgsql AS $$BEGIN x := length($1); END$$
--@ B052.2 | both | rows=1 col=x type=23 val=12 tx=I | a read as an argument of CALL
CALL b052(pgclone_version(), 0)
--@ B052.3 | simple | error=0A000 pos=11 tx=I differs=refused | an action as an argument of CALL
CALL b052(pgclone_cancel(7), 0)
--@ B053 | both | rows=1 type=16 val=t | old strings without a backslash
SELECT pgclone_version() IS NOT NULL, 'x'
--@ B054.1 | simple | tag=SET tx=I | old strings
SET standard_conforming_strings = off
--@ B054.2 | simple | rows=1 col=a type=16 val=t tx=I | without a backslash all is well
SELECT pgclone_version() IS NOT NULL AS a, 'x' AS b
--@ B054.3 | both | error=42883 pos=8 tx=I differs=refused | with one it is not known what is meant
SELECT pgclone_version(), 'a\'b'
--@ B054.4 | both | rows=1 type=25 val=a\b tx=I | others may
SELECT 'a\\b'
--@ B054.5 | simple | tag=SET tx=I | on again
SET standard_conforming_strings = on
--@ B054.6 | both | rows=1 col=a type=16 val=t tx=I | and all is well
SELECT pgclone_version() IS NOT NULL AS a, 'a\b' AS b
--@ B055 | both | error=25P01 | LOCK of a table
LOCK TABLE pgclone_no_such
--@ B056 | both | error=25P01 | LOCK of the view, outside a block, is the server's
LOCK TABLE pgclone_jobs_view IN ACCESS SHARE MODE
--@ B057 | both | error=42P01 differs=absent | COMMENT is the server's
COMMENT ON VIEW pgclone_jobs_view IS 'x'
--@ B058 | both | error=42P01 differs=absent | GRANT is the server's
GRANT SELECT ON pgclone_jobs_view TO PUBLIC
--@ B059 | both | error=42P01 pos=8 differs=absent | regclass is the server's
SELECT 'pgclone_jobs_view'::regclass
--@ B060 | both | error=42883 pos=8 differs=absent | regproc is the server's
SELECT 'pgclone_version'::regproc
--@ B061 | both | error=42704 pos=14 differs=absent | a type of the view's name is the server's
SELECT NULL::pgclone_jobs_view
--@ B062 | simple | error=42883 | DO is not looked into
DO $$BEGIN PERFORM pgclone_nosuch(); END$$
--@ B063 | both | error=42P01 pos=25 | LIKE a table
CREATE TABLE b063 (LIKE pgclone_no_such)
--@ B064 | both | error=42883 differs=absent | ALTER FUNCTION is the server's
ALTER FUNCTION pgclone_version() STABLE
--@ B065 | both | error=42883 differs=absent | has_function_privilege is the server's
SELECT has_function_privilege('pgclone_version()', 'execute')
--@ B066 | both | error=42883 pos=8 | unknown function of our schema
SELECT pgclone_nosuch(1, 'x')
--@ B067 | both | error=42P01 pos=15 | a table whose name only begins like the view
SELECT * FROM pgclone_jobs_view2
--@ B068 | both | error=42P01 pos=15 | a table with our prefix
SELECT * FROM pgclone_progress
--@ B069 | both | error=42883 pos=8 | the view called like a function
SELECT pgclone_jobs_view()
--@ B070 | both | error=42883 pos=15 | the view's name as a function in FROM
SELECT * FROM pgclone_jobs_view()
