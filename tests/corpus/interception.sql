--# Interception corpus: SQL sent by clients to the proxy, with the behaviour expected of it.
--#
--# Format.  Each entry starts with a header line
--#     --@ ID | PROTO [PARAMS] | EXPECT | NOTE
--# and is followed by the exact SQL text of ONE client message (one Query, or one Parse).
--#   ID      entries "G.n" that share the part before the dot run in order in one session;
--#           an ID without a dot gets a fresh session
--#   PROTO   simple | ext | both      (ext: Parse/Bind/Describe/Execute/Sync; both: once each way)
--#   PARAMS  JSON list, sent as text-format parameters with no declared type
--#   EXPECT  space separated; all must hold for the LAST result of the message
--#           rows=N rows>=N  col=<first column name>  type=<OID of first column>  val=<first value, _S_ is a blank>
--#           error=<SQLSTATE>  pos=<error position in the CLIENT's text>  tag=<command tag, _S_ is a blank>
--#           tx=I|T|E  transaction status after the message
--#           jobs=+N  number of job-manager actions performed; without it NO action may be performed
--#           an error that is not announced by error= is a failure
--#           since=N  the case is for PostgreSQL N and later
--#           differs=WHY  PostgreSQL with functions and a view of these names would answer otherwise; where this is
--#                    not said, it is asked and must answer the same.  refused: the proxy does not run it; absent:
--#                    the server does not know the name; type: a row has no type of its own; plan: EXPLAIN shows
--#                    the rewritten text; passes: the statement runs more than once; cast: a value is
--#                    taken for an argument that needs a cast in PostgreSQL; encoding: characters that the
--#                    client's encoding lacks are replaced; oracle: PostgreSQL cannot be asked, since its functions count
--#                    their calls, which a read-only transaction forbids
--# Fixture: the job manager holds job 7 (running, op schema, schema sales) and job 8 (completed, op table, hr.emp);
--#          further jobs may exist.  Source conninfo 'c' works, 'bad' fails with 08001.  User is a superuser.
--#          The target has none of the pgclone stubs installed and no real pgclone extension.
--# Signatures follow the public pgclone 4.x interface, in the flat spelling pgclone_x(...) and as pgclone.x(...):
--#          progress(job_id int) text, jobs() text, version() text, progress_detail() setof (18 columns),
--#          schema_async(source_conninfo, schema_name, include_data default true, options default null) int,
--#          table_async(source_conninfo, schema_name, table_name, include_data default true, target_table_name, options) int,
--#          cancel(int) text, resume(int) int, clear_jobs() int, schema(...)/table(...) text, verify(conninfo, schema) setof 5 columns.
--# OIDs used: bool 16, int8 20, int4 23, text 25, json 114, float8 701, timestamptz 1184, record 2249, jsonb 3802.

--# ============================== V: the jobs view, plain
--@ V003 | both | rows>=2 | public spelling
SELECT * FROM public.pgclone_jobs_view
--@ V004 | both | rows=1 val=running type=25 | filter on key
SELECT status FROM pgclone_jobs_view WHERE job_id = 7
--@ V005 | both | rows=1 val=completed | quoted names, upper-case keywords
SELECT "status" FROM "public"."pgclone_jobs_view" WHERE "job_id" = 8
--@ V006 | both | rows=1 val=completed | unquoted name folds to lower case
SELECT STATUS FROM PGCLONE_Jobs_View WHERE job_id=8
--@ V008 | both | rows=0 col=job_id | zero rows keep all columns
TABLE pgclone_jobs_view LIMIT 0
--@ V009 | both | rows>=2 | TABLE with the schema spelling
TABLE pgclone.jobs_view
--@ V012 | both | rows=1 val=7 | inheritance star after the name
SELECT job_id FROM pgclone_jobs_view * WHERE job_id = 7
--@ V013 | both | rows=1 val=8 col=a | alias with a column list
SELECT v.a FROM pgclone_jobs_view v(a, b) WHERE b = 'completed' AND a = 8
--@ V014 | both | rows=1 val=running | column qualified by schema and view (Metabase habit)
SELECT "public"."pgclone_jobs_view"."status" FROM "public"."pgclone_jobs_view" WHERE "public"."pgclone_jobs_view"."job_id" = 7
--@ V018 | both | type=20 rows=1 | int8
SELECT rows_copied FROM pgclone_jobs_view WHERE job_id=7
--@ V019 | both | type=1184 rows=1 | timestamptz
SELECT start_time FROM pgclone_jobs_view WHERE job_id=7
--@ V020 | both | type=701 rows=1 | float8
SELECT pct_complete FROM pgclone_jobs_view WHERE job_id=7
--@ V021 | both | type=2249 rows=1 differs=type | whole-row reference
SELECT pgclone_jobs_view FROM pgclone_jobs_view WHERE job_id=7
--@ V022 | both | rows=1 val=running | row_to_json keeps the column names
SELECT row_to_json(v)->>'status' FROM pgclone_jobs_view v WHERE job_id=7
--@ V023 | both | rows>=2 | SRF behind the view
SELECT d.job_id, d.status FROM pgclone_progress_detail() d ORDER BY 1
--@ V026 | both | error=0A000 differs=refused | ordinality on a pgclone function
SELECT * FROM pgclone_progress_detail() WITH ORDINALITY
--@ V027 | both | error=0A000 differs=refused | SRF in the select list
SELECT pgclone_progress_detail()

--# ============================== W: wrappers that BI tools generate
--@ W001 | both | rows>=2 | Metabase: nested source, group, limit
SELECT "source"."status" AS "status", COUNT(*) AS "count" FROM (SELECT "public"."pgclone_jobs_view"."job_id" AS "job_id", "public"."pgclone_jobs_view"."status" AS "status", DATE_TRUNC('day', "public"."pgclone_jobs_view"."start_time") AS "d" FROM "public"."pgclone_jobs_view" WHERE "public"."pgclone_jobs_view"."job_id" < 9) AS "source" GROUP BY "source"."status" ORDER BY "source"."status" ASC LIMIT 2000
--@ W002 | ext [7] | rows=1 val=running | Metabase: parameter inside the nested query
SELECT "source"."status" FROM (SELECT * FROM "public"."pgclone_jobs_view" WHERE "public"."pgclone_jobs_view"."job_id" = $1) AS "source" LIMIT 1048575
--@ W004.1 | simple | rows>=2 tx=T | Tableau over psqlodbc: BEGIN, DECLARE and FETCH in one Query
BEGIN;declare "SQL_CUR01" cursor with hold for SELECT CAST("Custom SQL Query"."status" AS TEXT) AS "status", SUM(1) AS "cnt:ok" FROM (
select * from pgclone_jobs_view
) "Custom SQL Query" GROUP BY 1 ORDER BY 1 ASC NULLS FIRST;fetch 2048 in "SQL_CUR01"
--@ W004.2 | simple | rows=0 tx=T | the cursor is the server's own
fetch 2048 in "SQL_CUR01"
--@ W004.3 | simple | tx=I tag=COMMIT | end
close "SQL_CUR01";commit
--@ W007 | both | rows>=2 | Grafana: time bucket, metric, value
SELECT date_trunc('hour', start_time) AS "time", status AS metric, max(pct_complete) AS value FROM pgclone_jobs_view WHERE start_time BETWEEN '2000-01-01T00:00:00Z' AND '2100-01-01T00:00:00Z' GROUP BY 1, 2 ORDER BY 1, 2
--@ W008 | both | rows=1 | DBeaver: row count wrapper
select count(*) from ( SELECT x.* FROM public.pgclone_jobs_view x ) dbvrcnt
--@ W010 | both | rows=0 col=job_id | type probe with an impossible filter
SELECT * FROM (SELECT * FROM pgclone_jobs_view) t WHERE 1=0
--@ W011 | ext ["running", 1] | rows=1 | parameters in filter and LIMIT
SELECT job_id FROM pgclone_jobs_view WHERE status = $1 ORDER BY job_id LIMIT $2

--# ============================== Q: query shapes around the view
--@ Q001 | both | rows=1 val=7 | self join, USING, mixed spellings
SELECT job_id FROM pgclone_jobs_view a JOIN pgclone.jobs_view b USING (job_id) WHERE job_id = 7
--@ Q002 | both | rows=2 | natural join with VALUES
SELECT * FROM (VALUES (7),(8)) k(job_id) NATURAL JOIN (SELECT job_id, status FROM pgclone_jobs_view) z
--@ Q003 | both | rows=3 | left join keeps unmatched rows
SELECT k.i, v.status FROM generate_series(6,8) k(i) LEFT JOIN pgclone_jobs_view v ON v.job_id = k.i ORDER BY 1
--@ Q004 | both | rows=2 | join with a catalog table
SELECT c.relname, v.job_id FROM pg_class c, pgclone_jobs_view v WHERE c.relname = 'pg_class' AND v.job_id IN (7,8)
--@ Q005 | both | rows=3 | correlated scalar subquery
SELECT k.i, (SELECT status FROM pgclone_jobs_view WHERE job_id = k.i) FROM generate_series(6,8) k(i)
--@ Q007 | both | rows=1 val=7 | IN subselect and UNION
SELECT job_id FROM pgclone_jobs_view WHERE job_id IN (SELECT job_id FROM pgclone.jobs_view WHERE status='running') AND job_id < 8 UNION SELECT 7 ORDER BY 1
--@ Q008 | both | rows=2 | window function
SELECT job_id, row_number() OVER (PARTITION BY status ORDER BY job_id) FROM pgclone_jobs_view WHERE job_id < 9
--@ Q009 | both | rows=1 | materialized CTE
WITH x AS MATERIALIZED (SELECT * FROM pgclone_jobs_view) SELECT count(*) FROM x
--@ Q011 | both | rows=1 | inside its own CTE the name is still the view (no RECURSIVE)
WITH pgclone_jobs_view AS (SELECT count(*) c FROM pgclone_jobs_view) SELECT c FROM pgclone_jobs_view
--@ Q014 | both | rows=1 | FOR UPDATE is accepted as on any subquery
SELECT job_id FROM pgclone_jobs_view WHERE job_id = 7 FOR UPDATE
--@ Q016 | both | rows=1 | casts and aggregates over json
SELECT jsonb_agg(to_jsonb(v) ORDER BY job_id)::text FROM pgclone_jobs_view v

--# ============================== P: scalar functions that only read
--@ P001 | both | rows=1 col=pgclone_progress type=25 | constant
SELECT pgclone_progress(7)
--@ P004 | both | rows=1 col=pgclone_progress type=3802 | a cast keeps the function's column name
SELECT pgclone_progress(7)::jsonb
--@ P006 | both | rows=1 col=x | alias without AS
SELECT pgclone_progress(7) x
--@ P007 | ext [7] | rows=1 col=pgclone_progress type=25 | parameter, inferred int4
SELECT pgclone_progress($1)
--@ P008 | ext ["7"] | rows=1 | parameter through a cast
SELECT pgclone_progress($1::text::int)
--@ P011 | both | rows=1 col=p | function in FROM: the alias names the column
SELECT * FROM pgclone_progress(7) AS p
--@ P012 | both | rows=1 col=pgclone_progress | function in FROM without alias
SELECT * FROM pgclone_progress(7)
--@ P013 | both | rows=1 col=c | function in FROM with a column alias
SELECT * FROM pgclone_progress(7) AS p(c)
--@ P014 | both | rows=1 val=7 | aggregate as the argument
SELECT pgclone_progress(min(job_id))::json->>'job_id' FROM pgclone_jobs_view
--@ P019 | both | rows=1 | named argument, both spellings of the arrow
SELECT pgclone_progress(job_id => 7), pgclone_progress(job_id := 8)
--@ P020 | both | error=42883 pos=8 | unknown argument name
SELECT pgclone_progress(nosuch => 7)
--@ P021 | both | error=42883 pos=8 | too few arguments
SELECT pgclone_progress()
--@ P023 | both | error=22P02 pos=25 | error position refers to the client's text
SELECT pgclone_progress('abc')
--@ P024 | both | error=42883 pos=8 | unknown pgclone name is the server's error
SELECT pgclone_nosuch(1)
--@ P025 | both | error=42883 pos=8 | quoted other case is another name
SELECT "PgClone_Progress"(7)
--@ P027 | both | rows=1 col=pgclone_version type=25 | no arguments
SELECT pgclone_version()
--@ P028 | both | rows=1 type=114 | jobs() is JSON text
SELECT pgclone_jobs()::json
--@ P030 | both | rows>=1 | in ORDER BY and GROUP BY
SELECT pgclone_progress(job_id) FROM pgclone_jobs_view GROUP BY pgclone_progress(job_id) ORDER BY pgclone_progress(job_id)
--@ P032 | both | rows=1 col=pgclone_progress | CASE takes the name of its ELSE branch
SELECT CASE WHEN false THEN 'x' ELSE pgclone_progress(7) END
--@ P034 | both | rows=1 | comments and odd spacing inside the call
SELECT pgclone_progress /* c( */ ( 7 -- ) end
 )
--@ P035 | both | rows=1 | target list followed by DISTINCT FROM
SELECT pgclone_progress(7) IS DISTINCT FROM 'x', 1 FROM (VALUES (1)) t

--# ============================== A: actions (they start or change jobs)
--@ A002 | both | rows=1 col=schema_async type=23 jobs=+1 | schema spelling
SELECT pgclone.schema_async('c', 'sales', true)
--@ A005 | both | rows=1 jobs=+1 | named and reordered arguments
SELECT pgclone_schema_async(schema_name => 'n', include_data => false, source_conninfo => 'c')
--@ A006 | both | rows=3 jobs=+3 | one call per row
SELECT tablename, pgclone_table_async('c', schemaname, tablename, true) FROM pg_tables WHERE schemaname = 'pg_catalog' AND tablename IN ('pg_am','pg_amop','pg_amproc') ORDER BY 1
--@ A010 | both | rows=1 val=1 | COALESCE stops early
SELECT coalesce(1, pgclone_table_async('c', 's', 't'))
--@ A011 | both | rows=0 | LIMIT 0
SELECT pgclone_table_async('c', 's', x::text) FROM generate_series(1, 5) x LIMIT 0
--@ A012 | both | rows=2 jobs=+2 | LIMIT stops the calls
SELECT pgclone_table_async('c', 's', x::text) FROM generate_series(1, 5) x LIMIT 2
--@ A014 | both | rows=2 jobs=+2 | lateral action
SELECT t.x, j FROM (VALUES ('a'),('b')) t(x), pgclone_schema_async('c', t.x) j
--@ A017 | both | rows=1 val=1 | a SELECT CTE that is not used is not run
WITH q AS (SELECT pgclone_schema_async('c', 'cte') j) SELECT 1
--@ A020 | both | rows=1 val=NULL | strict action with NULL does nothing
SELECT pgclone_cancel(NULL)
--@ A021 | both | error=08001 jobs=+1 | the job manager refuses: its error, no job
SELECT pgclone_schema_async('bad', 'x')
--@ A022 | both | error=22012 | another expression fails first: nothing started
SELECT pgclone_schema_async('c', 'x'), 1 / (count(*) - count(*)) FROM pg_class
--@ A023 | both | error=42703 pos=45 | statement does not analyse: nothing started
SELECT pgclone_schema_async('c', 'x') AS j, nosuch FROM pg_class
--@ A025 | both | rows=1 jobs=+1 val=t | comment and literal that look like SQL inside the arguments
SELECT pgclone_schema_async('c', 'a, b) -- no', /* x, y) */ true -- tail )
 ) > 0
--@ A026 | both | rows=1 jobs=+1 | synchronous clone returns text
SELECT pgclone_table('c', 's', 't', true)
--@ A029 | both | rows=1 jobs=+2 | two calls in one row run in order
SELECT pgclone_schema_async('c', 'one'), pgclone_schema_async('c', 'two')
--@ A031 | both | error=42883 differs=absent | CALL is for procedures; left to the server
CALL pgclone_schema_async('c', 'x')
--@ A032 | both | error=42883 | variadic-style surplus argument
SELECT pgclone_cancel(7, 8)
--@ A033 | both | rows=1 jobs=+1 | an argument that is different each time it is evaluated
SELECT pgclone_table_async('c', 's', 't', true, 'copy_' || random()::text)
--@ A035 | both | rows=3 jobs=+3 val=t | ids land on the row whose arguments made them, whatever the order
SELECT bool_and(j > 0) OVER () FROM (SELECT x, pgclone_table_async('c', 's', x::text) j FROM generate_series(1, 3) x ORDER BY random()) q
--@ A036 | both | rows=1 jobs=+1 | HAVING, and an aggregate as argument
SELECT pgclone_schema_async('c', max(relname::text)) FROM pg_class HAVING count(*) > 1
--@ A037 | both | rows=1 jobs=+1 | a changing value that reaches the one call through a column
SELECT pgclone_table_async('c', 's', x::text) FROM (SELECT random() AS x) q
--@ A038 | both | error=0A000 differs=refused | the same over several rows: refused before anything is started
SELECT pgclone_table_async('c', 's', x::text) FROM (SELECT random() AS x FROM generate_series(1, 3)) q
--@ A039 | both | rows=3 jobs=+3 | a volatile expression written in the argument itself, several rows
SELECT pgclone_table_async('c', 's', random()::text) FROM generate_series(1, 3)

--# ============================== M: writing statements
--@ M002 | simple | rows>=0 tag=SELECT_S_2 | CREATE TABLE AS takes a copy
CREATE TEMP TABLE snap AS SELECT * FROM pgclone_jobs_view WHERE job_id IN (7, 8)
--@ M004 | simple | tag=SELECT_S_1 jobs=+1 | CREATE TABLE AS with an action runs it once
CREATE TEMP TABLE started AS SELECT pgclone_schema_async('c', 'ctas') AS j
--@ M005 | both | error=55000 pos=13 differs=refused | the view cannot be written
INSERT INTO pgclone_jobs_view VALUES (1)
--@ M006 | both | error=55000 differs=refused | UPDATE
UPDATE pgclone.jobs_view SET status = 'x'
--@ M007 | both | error=55000 differs=refused | DELETE
DELETE FROM public.pgclone_jobs_view
--@ M009 | simple | error=0A000 differs=refused | stored definition: materialized view
CREATE MATERIALIZED VIEW mv_bad AS SELECT * FROM pgclone_jobs_view
--@ M010 | simple | error=0A000 differs=refused | stored definition: SQL-standard function body
CREATE FUNCTION f_bad() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM pgclone_jobs_view; END
--@ M011 | simple | error=0A000 differs=refused | stored definition: column default
CREATE TABLE t_bad (a int, b text DEFAULT pgclone_version())

--# ============================== X: EXPLAIN, COPY, cursors
--@ X001 | both | rows>=1 differs=plan | EXPLAIN of the view
EXPLAIN (COSTS OFF) SELECT * FROM pgclone_jobs_view WHERE job_id = 7
--@ X002 | both | rows>=1 differs=plan | EXPLAIN of an action starts nothing
EXPLAIN SELECT pgclone_schema_async('c', 'x')
--@ X005 | both | error=0A000 differs=refused | the option form
EXPLAIN (ANALYZE, BUFFERS) SELECT pgclone_schema_async('c', 'x')
--@ X006 | both | rows>=1 differs=plan | EXPLAIN ANALYZE of a read is fine
EXPLAIN ANALYZE SELECT count(*) FROM pgclone_jobs_view
--@ X007 | ext ["c"] | rows>=1 differs=plan | EXPLAIN of an action with a parameter
EXPLAIN SELECT pgclone_schema_async($1, 'x')
--@ X008 | both | rows=2 | COPY of a query over the view
COPY (SELECT job_id, status FROM pgclone_jobs_view WHERE job_id IN (7, 8) ORDER BY 1) TO STDOUT
--@ X011 | both | error=0A000 differs=refused | an action in COPY
COPY (SELECT pgclone_schema_async('c', 'x')) TO STDOUT
--@ X013.1 | simple | tx=T | cursor over the view
BEGIN
--@ X013.2 | ext [6] | tag=DECLARE_S_CURSOR | with a parameter over the extended protocol
DECLARE c2 SCROLL CURSOR FOR SELECT job_id FROM pgclone_jobs_view WHERE job_id > $1::int AND job_id < 9 ORDER BY 1
--@ X013.3 | both | rows=1 val=7 | fetch, both ways forward then again from the start
FETCH FIRST FROM c2
--@ X013.4 | simple | rows=1 val=8 | next
FETCH NEXT FROM c2
--@ X013.5 | simple | tx=I | end
COMMIT

--# ============================== T: transactions
--@ T001.1 | simple | tx=T | failed transaction
BEGIN
--@ T001.2 | simple | error=22012 tx=E | breaks it
SELECT 1/0
--@ T001.3 | both | error=25P02 tx=E | a read there
SELECT * FROM pgclone_jobs_view
--@ T001.4 | both | error=25P02 tx=E | an action there starts nothing
SELECT pgclone_schema_async('c', 'x')
--@ T001.5 | simple | tx=I tag=ROLLBACK | end
ROLLBACK
--@ T002.1 | simple | tx=T | read-only transaction
BEGIN READ ONLY
--@ T002.2 | both | rows>=2 tx=T | reads work
SELECT job_id FROM pgclone_jobs_view
--@ T002.3 | both | rows=1 tx=T | progress works
SELECT pgclone_progress(7)
--@ T002.4 | simple | error=25006 tx=E | actions do not: "cannot execute pgclone_schema_async() in a read-only transaction"
SELECT pgclone_schema_async('c', 'x')
--@ T002.5 | simple | tx=I | end
ROLLBACK
--@ T004.1 | simple | tx=T | action in a transaction
BEGIN
--@ T004.2 | both | rows=1 jobs=+1 tx=T | started at once
SELECT pgclone_schema_async('c', 'intx')
--@ T004.3 | simple | tx=I | rolling back does not undo it
ROLLBACK
--@ T007.1 | simple | tx=T | the same over the extended protocol
BEGIN
--@ T007.2 | ext ["bad"] | error=08001 tx=E jobs=+1 | with the job manager's own SQLSTATE
SELECT 1 FROM pgclone_schema_async($1, 'x') WHERE true
--@ T007.3 | ext | error=25P02 tx=E | failed as usual
SELECT 1
--@ T007.4 | simple | tx=I tag=ROLLBACK | end
ROLLBACK
--@ T008 | simple | tx=I rows=0 tag=COMMIT jobs=+1 | several statements in one Query
BEGIN; SELECT pgclone_schema_async('c', 'm1'); COMMIT
--@ T010.1 | simple | error=22012 tx=I jobs=+1 | implicit transaction: the table goes, the job stays
CREATE TABLE t010 (a int); SELECT pgclone_schema_async('c', 'm3'); SELECT 1/0
--@ T010.2 | simple | rows=1 val=NULL | rolled back
SELECT to_regclass('t010')
--@ T011.1 | simple | error=22012 tx=I | nothing after the failing statement is run
SELECT 1/0; SELECT pgclone_schema_async('c', 'm4')
--@ T013 | simple | error=42601 | syntax error anywhere: the whole Query is refused, nothing started
SELECT pgclone_schema_async('c', 'm6'); SELEC 1

--# ============================== R: SQL-level PREPARE and EXECUTE
--@ R002.1 | simple | tag=PREPARE | no type list
PREPARE p2 AS SELECT pgclone_schema_async($1, 'r')
--@ R002.2 | simple | rows=1 jobs=+1 | EXECUTE of an action
EXECUTE p2('c')
--@ R002.3 | simple | rows=1 jobs=+1 | again, another job
EXECUTE p2('c')
--@ R002.4 | simple | error=0A000 differs=refused | never through EXPLAIN ANALYZE
EXPLAIN ANALYZE EXECUTE p2('c')
--@ R002.5 | ext | error=0A000 differs=refused | EXECUTE of an action inside Parse
EXECUTE p2('c')
--@ R003.1 | simple | tag=PREPARE | no parameters
PREPARE p3 AS SELECT count(*) FROM pgclone_jobs_view
--@ R003.2 | simple | rows=1 | EXECUTE without parentheses
EXECUTE p3

--# ============================== N: must not be touched
--@ N002 | both | rows=1 val=SELECT_S_pgclone_progress(7) | dollar-quoted literal
SELECT $$SELECT pgclone_progress(7)$$
--@ N004 | both | rows=1 val=1 | block comment, nested
SELECT /* a /* pgclone_schema_async('c','x') */ b */ 1
--@ N005 | both | rows=1 val=1 col=pgclone_progress | a column alias of that name
SELECT 1 AS pgclone_progress
--@ N006 | both | rows=1 val=3 | a table alias of that name
SELECT pgclone_jobs_view.a FROM (SELECT 3 AS a) pgclone_jobs_view
--@ N010 | both | error=42P01 differs=absent | DDL on the name is the server's business
DROP VIEW pgclone_jobs_view
--@ N011 | both | rows=1 differs=absent | catalog discovery is forwarded
SELECT count(*) FROM information_schema.tables WHERE table_name = 'pgclone_jobs_view'
--@ N012 | ext ["pgclone_progress(7)"] | rows=1 val=pgclone_progress(7) | parameter values are never read as SQL
SELECT $1::text
--@ N014 | both | rows=1 val=x'pgclone_jobs_view | doubled quote
SELECT 'x''pgclone_jobs_view'

--# ============================== L: lexical settings and encodings
--@ L003 | both | rows=1 val=it's | E string next to a call
SELECT E'it\'s', pgclone_progress(7)
--@ L005.1 | simple | tag=SET | single-byte client
SET client_encoding = 'LATIN1'
--@ L005.2 | both | rows=1 val=é | bytes above 127 survive around a rewritten reference
SELECT 'é', job_id FROM pgclone_jobs_view WHERE job_id = 7
--@ L005.3 | both | rows=1 jobs=+1 | and as an argument
SELECT pgclone_schema_async('c', 'schéma')
--@ L005.4 | both | error=42703 pos=13 | error position counts characters, not bytes
SELECT 'é', nosuch FROM pgclone_jobs_view
--@ L006.1 | simple | tag=SET | client encoding whose trailing bytes can be ASCII
SET client_encoding = 'SJIS'
--@ L006.2 | both | rows=1 val=ソ表 | trailing byte 0x5C
SELECT 'ソ表', job_id FROM pgclone_jobs_view WHERE job_id = 7
--@ L007 | both | error=42703 pos=16 | multi-byte characters before the error
SELECT '日本語é', nosuch FROM pgclone_jobs_view
--@ L008.1 | simple | tag=SET | search_path has no say in the reserved names
SET search_path = pg_catalog
--@ L008.2 | both | rows>=2 differs=absent | unqualified
SELECT job_id FROM pgclone_jobs_view
--@ L008.3 | both | rows=1 differs=absent | functions as well
SELECT pgclone_progress(7)

--# ============================== E: errors of the server, seen through the rewriting
--@ E002 | both | error=42703 pos=39 | after the spliced text
SELECT 1 FROM pgclone_jobs_view WHERE nosuch = 1
--@ E003 | both | error=42703 pos=80 | between and after two splices
SELECT a.job_id FROM pgclone_jobs_view a, pgclone_jobs_view b WHERE a.job_id = b.nosuch
--@ E004 | both | error=42P01 pos=34 | other relation
SELECT 1 FROM pgclone_jobs_view, nosuchrel
--@ E007 | ext [] | error=08P01 | wrong number of parameters; the text must count the client's parameters
SELECT status FROM pgclone_jobs_view WHERE job_id = $1
--@ E008 | ext | error=42601 | several commands in one Parse
SELECT 1; SELECT pgclone_schema_async('c', 'x')
