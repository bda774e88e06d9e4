--# Cursors, COPY, EXPLAIN, transactions and strings of several statements, PREPARE and EXECUTE.
--# Format: see interception.sql.
--@ K1.1 | simple | tag=DECLARE_S_CURSOR tx=T | cursors: scroll
BEGIN; DECLARE k SCROLL CURSOR FOR SELECT job_id FROM pgclone_jobs_view ORDER BY 1
--@ K1.2 | both | rows=1 col=job_id type=23 val=8 tx=T | last
FETCH LAST FROM k
--@ K1.3 | both | rows=1 col=job_id type=23 val=7 tx=T | absolute
FETCH ABSOLUTE 1 FROM k
--@ K1.4 | both | col=job_id type=23 tx=T | relative
FETCH RELATIVE 1 FROM k
--@ K1.5 | both | col=job_id type=23 tx=T | back
FETCH BACKWARD ALL FROM k
--@ K1.6 | both | tx=T | move
MOVE FORWARD ALL IN k
--@ K1.7 | both | rows=1 col=job_id type=23 tx=T | prior
FETCH PRIOR FROM k
--@ K1.8 | simple | tag=CLOSE_S_CURSOR tx=T | closed
CLOSE k
--@ K1.9 | simple | error=34000 tx=E | gone
FETCH ALL FROM k
--@ K1.10 | simple | tag=ROLLBACK tx=I | end
ROLLBACK
--@ K2.1 | simple | tag=DECLARE_S_CURSOR tx=I | hold over the end
DECLARE k CURSOR WITH HOLD FOR SELECT pgclone_progress(job_id)::json->>'status' FROM pgclone_jobs_view ORDER BY job_id
--@ K2.2 | simple | rows=1 type=25 val=running tx=I | still there
FETCH 1 FROM k
--@ K2.3 | both | type=25 tx=I | by Execute too
FETCH NEXT k
--@ K2.4 | simple | tag=CLOSE_S_CURSOR_S_ALL tx=I | all closed
CLOSE ALL
--@ K3.1 | simple | tag=DECLARE_S_CURSOR tx=T | binary cursor
BEGIN; DECLARE k BINARY CURSOR FOR SELECT job_id, pct_complete FROM pgclone_jobs_view ORDER BY 1
--@ K3.2 | simple | rows=2 col=job_id type=23 tx=T | binary in the simple protocol
FETCH ALL k
--@ K3.3 | simple | tag=DECLARE_S_CURSOR tx=T | insensitive
DECLARE k2 INSENSITIVE NO SCROLL CURSOR FOR SELECT status FROM pgclone_jobs_view ORDER BY 1
--@ K3.4 | simple | rows=2 col=status type=25 val=completed tx=T | rows
FETCH ALL k2
--@ K3.5 | simple | error=55000 tx=E | no way back
FETCH BACKWARD 1 k2
--@ K3.6 | simple | tag=ROLLBACK tx=I | end
ROLLBACK
--@ K4 | simple | rows=2 col=job_id type=23 val=7 | without a block, in a string
DECLARE k CURSOR FOR SELECT job_id FROM pgclone_jobs_view ORDER BY 1; FETCH ALL k
--@ K5.1 | simple | rows=1 col=job_id type=23 val=8 tx=T | cursor in plpgsql over a user's relation
BEGIN; DECLARE k CURSOR FOR SELECT v.job_id, p FROM pgclone_jobs_view v, LATERAL pgclone_progress(v.job_id) p ORDER BY 1; MOVE 1 IN k; FETCH 1 IN k
--@ K5.2 | simple | error=24000 tx=E | WHERE CURRENT OF needs a simple one
DELETE FROM pg_class WHERE CURRENT OF k
--@ K5.3 | simple | tag=ROLLBACK tx=I | end
ROLLBACK
--@ K6.1 | simple | tag=DECLARE_S_CURSOR tx=T | cursor fails when it is fetched
BEGIN; DECLARE k CURSOR FOR SELECT pgclone_progress(90 + job_id) FROM pgclone_jobs_view
--@ K6.2 | simple | error=P0002 tx=E | with our error
FETCH 1 k
--@ K6.3 | simple | tag=ROLLBACK tx=I | end
ROLLBACK
--@ C001 | both | rows=3 tag=COPY_S_2 | COPY as csv with header
COPY (SELECT job_id, status FROM pgclone_jobs_view ORDER BY 1) TO STDOUT WITH (FORMAT csv, HEADER)
--@ C002 | both | rows=2 tag=COPY_S_2 | COPY in the old spelling
COPY (SELECT job_id, table_name FROM pgclone_jobs_view ORDER BY 1) TO STDOUT CSV QUOTE '"' FORCE QUOTE *
--@ C003 | both | rows=3 tag=COPY_S_2 | COPY binary
COPY (SELECT job_id FROM pgclone_jobs_view ORDER BY 1) TO STDOUT (FORMAT binary)
--@ C004 | both | rows=2 tag=COPY_S_2 | COPY with a delimiter and NULL
COPY (SELECT job_id, NULL FROM pgclone_jobs_view ORDER BY 1) TO STDOUT WITH (DELIMITER '|', NULL 'nil')
--@ C005 | both | rows=2 tag=COPY_S_2 | COPY of TABLE
COPY (TABLE pgclone_jobs_view) TO STDOUT
--@ C006 | both | rows=1 tag=COPY_S_1 | COPY of VALUES with a call
COPY (VALUES (pgclone_version(), 1)) TO STDOUT
--@ C007 | both | error=P0002 | COPY of a failing read
COPY (SELECT pgclone_progress(99)) TO STDOUT
--@ C008 | both | error=42703 pos=14 | COPY with an unknown column
COPY (SELECT nosuch FROM pgclone_jobs_view) TO STDOUT
--@ C009 | both | error=42601 pos=56 | COPY with an unknown option
COPY (SELECT job_id FROM pgclone_jobs_view) TO STDOUT (nosuch)
--@ C010 | ext ["7"] | error=08P01 | COPY takes no parameters
COPY (SELECT job_id FROM pgclone_jobs_view WHERE job_id = $1) TO STDOUT
--@ C011 | simple | rows=1 col=count type=20 val=2 | COPY among others
SELECT 1; COPY (SELECT job_id FROM pgclone_jobs_view ORDER BY 1) TO STDOUT; SELECT count(*) FROM pgclone_jobs_view
--@ C012 | simple | rows=2 tag=COPY_S_2 jobs=+1 | COPY behind an action
SELECT pgclone_schema_async('c', 'x'); COPY (SELECT job_id FROM pgclone_jobs_view ORDER BY 1) TO STDOUT
--@ E100 | both | rows=1 type=114 differs=plan | EXPLAIN of formats
EXPLAIN (FORMAT json, COSTS off) SELECT * FROM pgclone_jobs_view
--@ E101 | both | rows=1 type=142 differs=plan | EXPLAIN as XML
EXPLAIN (FORMAT xml) SELECT pgclone_progress(7)
--@ E102 | both | rows=1 type=25 differs=plan | EXPLAIN as YAML, VERBOSE
EXPLAIN (FORMAT yaml, VERBOSE) SELECT status FROM pgclone_jobs_view
--@ E103 | both | error=42601 pos=10 | EXPLAIN with an unknown option
EXPLAIN (nosuch) SELECT * FROM pgclone_jobs_view
--@ E104 | both | error=42703 pos=16 | EXPLAIN of a statement that does not analyse
EXPLAIN SELECT nosuch FROM pgclone_jobs_view
--@ E105 | both | rows=2 type=25 val=Function_S_Scan_S_on_S_jsonb_array_elements_S_job differs=plan since=16 | EXPLAIN GENERIC_PLAN
EXPLAIN (GENERIC_PLAN, COSTS off) SELECT * FROM pgclone_jobs_view WHERE job_id = 7
--@ E106 | simple | rows=2 type=25 val=Function_S_Scan_S_on_S_jsonb_array_elements_S_job differs=plan since=16 | EXPLAIN GENERIC_PLAN with a parameter
EXPLAIN (GENERIC_PLAN, COSTS off) SELECT * FROM pgclone_jobs_view WHERE job_id = $1
--@ E107 | simple | rows=1 type=25 val=Function_S_Scan_S_on_S_jsonb_array_elements_S_job differs=plan | EXPLAIN of DECLARE
EXPLAIN (COSTS off) DECLARE e CURSOR FOR SELECT * FROM pgclone_jobs_view
--@ E108 | simple | rows=1 type=25 differs=plan | EXPLAIN of CREATE TABLE AS
EXPLAIN CREATE TABLE e108 AS SELECT * FROM pgclone_jobs_view
--@ E109 | both | rows=3 type=25 differs=plan | EXPLAIN of INSERT with an action
EXPLAIN INSERT INTO pg_class(oid) SELECT pgclone_schema_async('c', 'x')
--@ E110 | simple | rows=1 type=25 differs=plan | EXPLAIN EXECUTE of an action
PREPARE e110 AS SELECT pgclone_cancel($1); EXPLAIN EXECUTE e110(7)
--@ X100.1 | simple | tag=COMMIT jobs=+2 tx=I | transactions: the action in a block that commits
BEGIN; SELECT pgclone_schema_async('c', 'a'); SELECT pgclone_schema_async('c', 'b'); COMMIT
--@ X100.2 | simple | rows=1 type=23 val=1 jobs=+1 tx=I | and in one that is rolled back
BEGIN; SELECT pgclone_schema_async('c', 'a'); ROLLBACK; SELECT 1
--@ X101.1 | simple | tag=COMMIT jobs=+1 tx=I | COMMIT without BEGIN warns
SELECT pgclone_schema_async('c', 'a'); COMMIT
--@ X101.2 | simple | tag=ROLLBACK jobs=+1 tx=I | ROLLBACK without BEGIN warns
SELECT pgclone_schema_async('c', 'a'); ROLLBACK
--@ X101.3 | simple | error=22012 jobs=+1 tx=I | and what follows is a transaction of its own
CREATE TEMP TABLE x101 (a int); SELECT pgclone_schema_async('c', 'a'); COMMIT; SELECT 1/0
--@ X101.4 | simple | rows=1 col=count type=20 val=0 tx=I | the table is there
SELECT count(*) FROM x101
--@ X102.1 | simple | error=25P01 jobs=+1 tx=I | SAVEPOINT needs a block
SELECT pgclone_schema_async('c', 'a'); SAVEPOINT s
--@ X102.2 | simple | error=25P01 jobs=+1 tx=I | so does ROLLBACK TO
SELECT pgclone_schema_async('c', 'a'); ROLLBACK TO SAVEPOINT s
--@ X102.3 | simple | error=25P01 jobs=+1 tx=I | and RELEASE
SELECT pgclone_schema_async('c', 'a'); RELEASE s
--@ X102.4 | simple | error=25P01 jobs=+1 tx=I | and AND CHAIN
SELECT pgclone_schema_async('c', 'a'); COMMIT AND CHAIN
--@ X102.5 | simple | error=25P01 jobs=+1 tx=I | and ROLLBACK AND CHAIN
SELECT pgclone_schema_async('c', 'a'); ROLLBACK AND CHAIN
--@ X102.6 | simple | rows=1 type=23 val=1 tx=I | nothing is open
SELECT 1
--@ X103.1 | simple | tag=COMMIT jobs=+2 tx=I | savepoints in a block
BEGIN; SAVEPOINT s; SELECT pgclone_schema_async('c', 'a'); ROLLBACK TO s; SELECT pgclone_schema_async('c', 'b'); RELEASE s; COMMIT
--@ X104.1 | simple | tag=SAVEPOINT tx=T | a savepoint after an error
BEGIN; SAVEPOINT s
--@ X104.2 | simple | error=P0002 tx=E | fails
SELECT pgclone_progress(99)
--@ X104.3 | simple | tag=ROLLBACK tx=T | back
ROLLBACK TO s
--@ X104.4 | both | rows=1 col=pgclone_schema_async type=23 val=101 jobs=+1 tx=T | goes on
SELECT pgclone_schema_async('c', 'a')
--@ X104.5 | simple | error=08001 jobs=+1 tx=E | a refusal fails the block
SELECT pgclone_schema_async('bad', 'a')
--@ X104.6 | simple | rows=1 col=pgclone_schema_async type=23 val=101 jobs=+1 tx=T | back again
ROLLBACK TO SAVEPOINT s; SELECT pgclone_schema_async('c', 'b')
--@ X104.7 | simple | tag=COMMIT tx=I | end
COMMIT
--@ X105.1 | simple | tag=COMMIT jobs=+1 tx=T | chain
BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT pgclone_schema_async('c', 'a'); COMMIT AND CHAIN
--@ X105.2 | simple | rows=1 col=transaction_isolation type=25 val=serializable tx=T | chained
SHOW transaction_isolation
--@ X105.3 | both | rows=1 col=pgclone_schema_async type=23 val=101 jobs=+1 tx=T | an action in it
SELECT pgclone_schema_async('c', 'a')
--@ X105.4 | simple | tag=ROLLBACK jobs=+1 tx=I | rollback and chain
ROLLBACK AND CHAIN; SELECT pgclone_cancel(7); ROLLBACK
--@ X106.1 | simple | tag=COMMIT jobs=+1 tx=I | BEGIN in a block warns
BEGIN; SELECT pgclone_schema_async('c', 'a'); BEGIN; COMMIT
--@ X106.2 | simple | error=25001 jobs=+1 tx=I | START TRANSACTION with modes
SELECT pgclone_schema_async('c', 'a'); START TRANSACTION ISOLATION LEVEL READ COMMITTED, READ ONLY, NOT DEFERRABLE
--@ X106.3 | simple | rows=1 col=transaction_read_only type=25 val=off tx=I | is in force
SHOW transaction_read_only
--@ X106.4 | simple | rows=1 col=pgclone_schema_async type=23 val=101 jobs=+1 tx=I | and its action is refused
SELECT pgclone_schema_async('c', 'a')
--@ X106.5 | simple | tag=COMMIT tx=I | end
END
--@ X107.1 | simple | error=25001 jobs=+1 tx=I | BEGIN with an isolation level behind a query is refused
SELECT pgclone_schema_async('c', 'a'); BEGIN ISOLATION LEVEL SERIALIZABLE
--@ X107.2 | simple | rows=1 type=23 val=1 tx=I | nothing is open
SELECT 1
--@ X108.1 | simple | rows=1 col=pgclone_schema_async type=23 val=101 jobs=+1 tx=I | empty statements between
; ; SELECT pgclone_schema_async('c', 'a') ; ;
--@ X108.2 | simple | tx=I | comments only
/* pgclone_version() */ -- pgclone_jobs_view
--@ X108.3 | simple | rows=1 col=pgclone_schema_async type=23 val=101 jobs=+1 tx=I | a comment behind
SELECT pgclone_schema_async('c', 'a') /* end */ ; -- end
--@ X109 | simple | rows=1 type=16 val=f jobs=+1 | read, action, read
SELECT count(*) FROM pgclone_jobs_view; SELECT pgclone_schema_async('c', 'a'); SELECT pgclone_progress(7) IS NULL
--@ X110 | simple | error=42703 pos=47 jobs=+1 | an error in the middle
SELECT pgclone_schema_async('c', 'a'); SELECT nosuch; SELECT pgclone_schema_async('c', 'b')
--@ X111 | simple | error=42703 pos=59 jobs=+1 | positions in the third of three
SELECT 'é'; SELECT pgclone_schema_async('c', 'é'); SELECT nosuch, pgclone_version()
--@ X112 | simple | error=42703 pos=70 | positions in an action behind others
SELECT 1; SELECT pgclone_version(); SELECT pgclone_schema_async('c', nosuch)
--@ X113 | simple | error=42883 pos=57 jobs=+1 | a refusal in the third of three: nothing is run
SELECT 1; SELECT pgclone_schema_async('c', 'a'); SELECT pgclone_nosuch(1)
--@ X114.1 | simple | error=25001 jobs=+1 tx=I | what cannot run in a block
SELECT pgclone_schema_async('c', 'a'); VACUUM
--@ X114.2 | simple | rows=1 col=work_mem type=25 val=1MB jobs=+1 tx=I | SET LOCAL in a string lasts to its end
SET LOCAL work_mem = '1MB'; SELECT pgclone_schema_async('c', 'a'); SHOW work_mem
--@ X114.3 | simple | rows=1 col=work_mem type=25 val=4MB tx=I | and no longer
SHOW work_mem
--@ X114.4 | simple | rows=1 col=pgclone_schema_async type=23 val=101 jobs=+1 tx=I | LOCK in a string
LOCK TABLE pg_class IN ACCESS SHARE MODE; SELECT pgclone_schema_async('c', 'a')
--@ X115.1 | simple | error=22012 jobs=+1 tx=I | SET in a failing string is undone
SET work_mem = '2MB'; SELECT pgclone_schema_async('c', 'a'); SELECT 1/0
--@ X115.2 | simple | rows=1 col=work_mem type=25 val=4MB tx=I | undone
SHOW work_mem
--@ X116.1 | simple | error=22012 tx=E | a failed transaction that the string ends
BEGIN; SELECT 1/0
--@ X116.2 | simple | rows=1 col=pgclone_schema_async type=23 val=101 jobs=+1 tx=I | goes on behind the ROLLBACK
ROLLBACK; SELECT pgclone_schema_async('c', 'a')
--@ X116.3 | simple | error=22012 tx=E | failed again
BEGIN; SELECT 1/0
--@ X116.4 | simple | rows=1 col=count type=20 val=2 tx=I | ended by COMMIT
COMMIT; SELECT count(*) FROM pgclone_jobs_view
--@ X117.1 | simple | tag=SET tx=I | read-only by default
SET default_transaction_read_only = on
--@ X117.2 | both | rows=1 col=count type=20 val=2 tx=I | reads
SELECT count(*) FROM pgclone_jobs_view
--@ X117.3 | both | error=25006 tx=I | an action
SELECT pgclone_schema_async('c', 'a')
--@ X117.4 | both | rows=0 col=pgclone_schema_async type=23 tx=I | an action that is not called
SELECT pgclone_schema_async('c', 'a') WHERE false
--@ X118.1 | simple | tag=BEGIN tx=T | repeatable read
BEGIN ISOLATION LEVEL REPEATABLE READ
--@ X118.2 | both | rows=1 col=pgclone_schema_async type=23 val=101 jobs=+1 tx=T | an action
SELECT pgclone_schema_async('c', 'a')
--@ X118.3 | simple | error=25001 tx=E | SET TRANSACTION must be first
SET TRANSACTION ISOLATION LEVEL SERIALIZABLE
--@ X118.4 | simple | tag=ROLLBACK tx=I | end
ROLLBACK
--@ X119.1 | simple | tag=SET tx=T | SET TRANSACTION before an action
BEGIN; SET TRANSACTION READ ONLY
--@ X119.2 | simple | error=25006 tx=E | refused
SELECT pgclone_schema_async('c', 'a')
--@ X119.3 | simple | tag=ROLLBACK tx=I | end
ROLLBACK
--@ X120.1 | simple | tag=PREPARE_S_TRANSACTION jobs=+1 tx=I | a prepared transaction
BEGIN; CREATE TABLE x120 (a int); SELECT pgclone_schema_async('c', 'a'); PREPARE TRANSACTION 'x120'
--@ X120.2 | simple | tag=ROLLBACK_S_PREPARED tx=I | given up
ROLLBACK PREPARED 'x120'
--@ X121 | simple | rows=1 col=pgclone_schema_async type=23 val=103 jobs=+3 | several actions in several statements
SELECT pgclone_schema_async('c', 'a'); SELECT pgclone_schema_async('c', 'b'); SELECT pgclone_schema_async('c', 'c')
--@ X122 | simple | tag=COMMIT jobs=+2 | a string of BEGIN to COMMIT and more
BEGIN; SELECT pgclone_schema_async('c', 'a'); COMMIT; SELECT pgclone_schema_async('c', 'b'); BEGIN; SELECT 1; COMMIT
--@ X123.1 | simple | rows=1 col=pgclone_schema_async type=23 val=102 jobs=+2 tx=T | ends inside a block
SELECT pgclone_schema_async('c', 'a'); BEGIN; SELECT pgclone_schema_async('c', 'b')
--@ X123.2 | simple | tag=COMMIT tx=I | open
COMMIT
--@ X124 | simple | error=23505 jobs=+1 differs=passes | a deferred constraint fails at the end
CREATE TEMP TABLE x124 (a int UNIQUE DEFERRABLE INITIALLY DEFERRED); INSERT INTO x124 VALUES (1), (1); SELECT pgclone_schema_async('c', 'a')
--@ D100.1 | simple | tag=PREPARE tx=I | PREPARE with types
PREPARE d (int, text) AS SELECT pgclone_progress($1)::json->>$2
--@ D100.2 | simple | rows=1 type=25 val=running tx=I | EXECUTE
EXECUTE d(7, 'status')
--@ D100.3 | both | rows=1 type=25 val=completed tx=I | EXECUTE by Parse too
EXECUTE d(8, 'status')
--@ D100.4 | simple | error=42601 tx=I | too few arguments
EXECUTE d(7)
--@ D100.5 | simple | error=42601 tx=I | too many
EXECUTE d(7, 'a', 'b')
--@ D100.6 | simple | rows=1 type=25 val=running tx=I | expressions as arguments
EXECUTE d(3 + 4, 'sta' || 'tus')
--@ D100.7 | simple | error=0A000 pos=11 tx=I | a read as an argument
EXECUTE d((SELECT min(job_id) FROM pgclone_jobs_view), 'status')
--@ D100.8 | simple | rows=1 type=25 val=NULL tx=I | a NULL
EXECUTE d(NULL, 'status')
--@ D100.9 | simple | error=P0002 tx=I | the job is not there
EXECUTE d(99, 'status')
--@ D100.10 | simple | rows=1 type=25 val=Result tx=I | EXPLAIN EXECUTE
EXPLAIN (COSTS OFF) EXECUTE d(7, 'status')
--@ D100.11 | simple | tag=SELECT_S_1 tx=I | CREATE TABLE AS EXECUTE
CREATE TEMP TABLE d100 AS EXECUTE d(7, 'status')
--@ D100.12 | simple | tag=DEALLOCATE tx=I | DEALLOCATE
DEALLOCATE PREPARE d
--@ D100.13 | simple | error=26000 tx=I | gone
EXECUTE d(7, 'status')
--@ D101.1 | simple | tag=PREPARE tx=I | a name twice
PREPARE d AS SELECT pgclone_version()
--@ D101.2 | simple | error=42P05 tx=I | is refused
PREPARE d AS SELECT count(*) FROM pgclone_jobs_view
--@ D101.3 | simple | rows=1 col=pgclone_version type=25 val=pgclone_S_test tx=I | the first one stays
EXECUTE d
--@ D101.4 | simple | error=42P05 tx=I | also a plain one
PREPARE d AS SELECT 5
--@ D101.5 | simple | rows=1 col=pgclone_version type=25 val=pgclone_S_test tx=I | the first one stays
EXECUTE d
--@ D102.1 | ext | tag=PREPARE tx=I | PREPARE by Parse
PREPARE d AS SELECT pgclone_progress(job_id) IS NOT NULL FROM pgclone_jobs_view WHERE job_id = $1
--@ D102.2 | both | rows=1 type=16 val=t tx=I | EXECUTE both ways
EXECUTE d(7)
--@ D102.3 | ext | tag=PREPARE tx=I | of an action
PREPARE e(text) AS SELECT pgclone_schema_async('c', $1)
--@ D102.4 | simple | rows=1 col=pgclone_schema_async type=23 val=101 jobs=+1 tx=I | EXECUTE
EXECUTE e('x')
--@ D102.5 | ext | tag=DEALLOCATE_S_ALL tx=I | DEALLOCATE by Parse
DEALLOCATE ALL
--@ D102.6 | simple | error=26000 tx=I | gone
EXECUTE d(7)
--@ D103.1 | simple | tag=PREPARE tx=I | quoted names
PREPARE "A b" AS SELECT pgclone_version()
--@ D103.2 | simple | rows=1 col=pgclone_version type=25 val=pgclone_S_test tx=I | EXECUTE
EXECUTE "A b"
--@ D103.3 | simple | error=26000 tx=I | the other case is another
EXECUTE "a b"
--@ D103.4 | simple | rows=1 col=pgclone_version type=25 val=pgclone_S_test tx=I | names fold
PREPARE ABC AS SELECT pgclone_version(); EXECUTE abc
--@ D103.5 | simple | rows=1 col=count type=20 val=2 tx=I | a name with escapes
PREPARE U&"d\0061t" AS SELECT count(*) FROM pgclone_jobs_view; EXECUTE dat
--@ D103.6 | simple | rows=1 col=count type=20 val=2 tx=I | EXECUTE with escapes
EXECUTE U&"\0064at"
--@ D104.1 | simple | tag=PREPARE tx=I | PREPARE of writing statements
CREATE TEMP TABLE d104 (a int, b text); PREPARE d AS INSERT INTO d104 SELECT job_id, $1 FROM pgclone_jobs_view RETURNING a, b
--@ D104.2 | simple | rows=2 col=a type=23 val=7 tx=I | runs
EXECUTE d('x')
--@ D104.3 | simple | rows=1 col=a type=23 val=7 tx=I | UPDATE
PREPARE u AS UPDATE d104 SET b = pgclone_version() WHERE a = $1 RETURNING a; EXECUTE u(7)
--@ D104.4 | simple | tag=DELETE_S_2 tx=I | DELETE
PREPARE x AS DELETE FROM d104 USING pgclone_jobs_view v WHERE a = v.job_id; EXECUTE x
--@ D104.5 | simple | rows=1 col=column1 type=25 val=pgclone_S_test tx=I | VALUES
PREPARE v AS VALUES (pgclone_version(), $1); EXECUTE v('x')
--@ D104.6 | simple | tag=MERGE_S_2 tx=I since=15 | MERGE
PREPARE m AS MERGE INTO d104 USING pgclone_jobs_view ON a = job_id WHEN NOT MATCHED THEN INSERT VALUES (job_id, $1::text); EXECUTE m('m')
--@ D105.1 | simple | error=42703 pos=21 tx=I | PREPARE that fails
PREPARE d AS SELECT nosuch FROM pgclone_jobs_view
--@ D105.2 | simple | error=26000 tx=I | is not there
EXECUTE d
--@ D106.1 | simple | tag=ROLLBACK tx=I | PREPARE in a transaction that is rolled back stays
BEGIN; PREPARE d AS SELECT count(*) FROM pgclone_jobs_view; ROLLBACK
--@ D106.2 | simple | rows=1 col=count type=20 val=2 tx=I | as in PostgreSQL
EXECUTE d
--@ D107 | simple | error=26000 | PREPARE, EXECUTE and DEALLOCATE in one string
PREPARE d(int) AS SELECT pgclone_progress($1)::json->>'job_id'; EXECUTE d(7); EXECUTE d(8); DEALLOCATE d; EXECUTE d(7)
--@ D108.1 | simple | tag=DEALLOCATE jobs=+2 tx=I | an action in several statements of a string
PREPARE d AS SELECT pgclone_schema_async('c', $1); EXECUTE d('a'); EXECUTE d('b'); DEALLOCATE d
--@ D109.1 | simple | rows=1 type=16 val=t tx=I | with more types than parameters
PREPARE d(int, int, text) AS SELECT pgclone_progress($1) IS NOT NULL; EXECUTE d(7, 1, 'x')
--@ D109.2 | simple | rows=1 type=16 val=t tx=I | with fewer types than parameters
PREPARE e(int) AS SELECT pgclone_progress($1) IS NOT NULL, $2::text; EXECUTE e(7, 'x')
--@ D110.1 | simple | rows=2 type=16 val=t jobs=+2 tx=I | an action with a changing argument
PREPARE d AS SELECT pgclone_schema_async('c', random()::text) > 0 FROM generate_series(1, 2); EXECUTE d
--@ D111.1 | simple | tag=PREPARE tx=I | as an argument of an action that was prepared
PREPARE d AS SELECT pgclone_cancel($1)
--@ D111.2 | simple | error=0A000 pos=11 tx=I differs=refused | an action
EXECUTE d(pgclone_schema_async('c', 'x'))
--@ D111.3 | simple | error=0A000 pos=11 tx=I | a read
EXECUTE d((SELECT max(job_id) FROM pgclone_jobs_view))
--@ D112.1 | simple | tag=PREPARE tx=I | catalogue of prepared statements
PREPARE d(int) AS SELECT pgclone_progress($1)
--@ D112.2 | both | rows=1 col=name type=25 val=d tx=I differs=passes | shows the hidden parameter
SELECT name, array_length(parameter_types, 1) FROM pg_prepared_statements WHERE name = 'd'
