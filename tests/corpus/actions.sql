--# Where actions may stand, and how often they are called there; statements that write.
--# Format: see interception.sql.
--@ A100 | both | rows=3 col=i type=23 val=1 jobs=+2 | CASE decides per row
SELECT i, CASE WHEN i > 1 THEN pgclone_schema_async('c', 'x' || i) END FROM generate_series(1, 3) i ORDER BY i
--@ A101 | both | rows=1 type=16 val=f | AND stops early
SELECT false AND pgclone_schema_async('c', 'x') > 0, true OR pgclone_schema_async('c', 'y') > 0
--@ A102 | both | rows=0 col=pgclone_schema_async type=23 | WHERE that is never true
SELECT pgclone_schema_async('c', 'x') WHERE 1 = 0
--@ A103 | both | rows=1 type=16 val=t jobs=+3 | OFFSET evaluates what it skips
SELECT pgclone_schema_async('c', 'x' || i) > 0 FROM generate_series(1, 3) i ORDER BY i OFFSET 2
--@ A104 | both | rows=1 col=count type=20 val=2 jobs=+2 | LIMIT in a subquery
SELECT count(*) FROM (SELECT pgclone_schema_async('c', 'x' || i) j FROM generate_series(1, 5) i LIMIT 2) q WHERE j > 0
--@ A105 | both | rows=1 col=count type=20 val=3 jobs=+3 | a subquery whose column nobody reads
SELECT count(*) FROM (SELECT pgclone_schema_async('c', 'x' || i) FROM generate_series(1, 3) i) q
--@ A106 | both | rows=1 col=count type=20 val=3 jobs=+3 | the same with OFFSET 0
SELECT count(*) FROM (SELECT i, pgclone_schema_async('c', 'x' || i) FROM generate_series(1, 3) i OFFSET 0) q
--@ A107 | both | rows=1 col=exists type=16 val=t | EXISTS
SELECT EXISTS (SELECT pgclone_schema_async('c', 'x'))
--@ A108 | both | rows=3 col=i type=23 val=1 jobs=+1 | a scalar subquery once for all rows
SELECT i, (SELECT pgclone_schema_async('c', 'once')) > 0 FROM generate_series(1, 3) i ORDER BY i
--@ A109 | both | rows=3 col=i type=23 val=1 jobs=+3 | a correlated scalar subquery for each row
SELECT i, (SELECT pgclone_schema_async('c', 'x' || i)) > 0 FROM generate_series(1, 3) i ORDER BY i
--@ A110 | both | rows=1 type=16 val=t jobs=+1 | IN with a subquery of an action
SELECT 101 IN (SELECT pgclone_schema_async('c', 'x'))
--@ A111 | both | rows=3 col=i type=23 val=3 jobs=+3 | in ORDER BY only
SELECT i FROM generate_series(1, 3) i ORDER BY pgclone_schema_async('c', 'x' || i) DESC
--@ A112 | both | rows=3 col=pgclone_schema_async type=23 val=101 jobs=+3 | in ORDER BY and in the list
SELECT pgclone_schema_async('c', 'x' || i) FROM generate_series(1, 3) i ORDER BY pgclone_schema_async('c', 'x' || i)
--@ A113 | both | rows=1 col=pgclone_cancel type=25 val=OK jobs=+3 | in GROUP BY and in the list
SELECT pgclone_cancel(i), count(*) FROM generate_series(1, 3) i GROUP BY pgclone_cancel(i)
--@ A114 | both | rows=2 col=count type=20 val=1 jobs=+2 | in HAVING
SELECT count(*) FROM generate_series(1, 3) i GROUP BY i % 2 HAVING pgclone_cancel(count(*)::int) = 'OK' ORDER BY 1
--@ A115 | both | rows=2 col=a type=23 val=1 jobs=+2 | in JOIN ON
SELECT a, b FROM generate_series(1, 2) a JOIN generate_series(1, 2) b ON a = b AND pgclone_cancel(a) = 'OK' ORDER BY 1
--@ A116 | both | rows=1 col=array_agg type=1007 val={101,102,103} jobs=+3 | in an aggregate
SELECT array_agg(pgclone_schema_async('c', 'x' || i) ORDER BY i) FROM generate_series(1, 3) i
--@ A117 | both | rows=1 col=count type=20 val=3 jobs=+3 | in FILTER
SELECT count(*) FILTER (WHERE pgclone_cancel(i) = 'OK') FROM generate_series(1, 3) i
--@ A118 | both | rows=3 col=rank type=20 val=1 jobs=+3 | in a window definition
SELECT rank() OVER (ORDER BY pgclone_schema_async('c', 'x' || i)) FROM generate_series(1, 3) i
--@ A119 | both | rows=1 col=i type=23 val=1 jobs=+1 | in LIMIT
SELECT i FROM generate_series(1, 3) i LIMIT pgclone_schema_async('c', 'x') - 100
--@ A120 | both | rows=2 col=column1 type=23 val=101 jobs=+2 | in VALUES
VALUES (pgclone_schema_async('c', 'a')), (pgclone_schema_async('c', 'b'))
--@ A121 | both | rows=2 col=x type=23 val=101 jobs=+1 | in VALUES of FROM
SELECT x FROM (VALUES (pgclone_schema_async('c', 'a')), (5)) v(x)
--@ A122 | both | rows=1 col=pgclone_cancel type=25 val=OK jobs=+3 | in DISTINCT
SELECT DISTINCT pgclone_cancel(i) FROM generate_series(1, 3) i
--@ A123 | both | rows=2 col=pgclone_schema_async type=23 val=101 jobs=+2 | in UNION ALL
SELECT pgclone_schema_async('c', 'a') UNION ALL SELECT pgclone_schema_async('c', 'b')
--@ A124 | both | rows=1 col=pgclone_cancel type=25 val=OK jobs=+2 | in UNION
SELECT pgclone_cancel(7) UNION SELECT pgclone_cancel(8)
--@ A125 | both | rows=1 col=j type=23 val=101 jobs=+1 | a CTE that is read twice runs once
WITH q AS (SELECT pgclone_schema_async('c', 'x') j) SELECT a.j, b.j FROM q a, q b
--@ A126 | both | rows=1 col=j type=23 val=101 jobs=+1 | a CTE that is not materialized
WITH q AS NOT MATERIALIZED (SELECT pgclone_schema_async('c', 'x') j) SELECT j FROM q
--@ A127 | both | rows=3 col=i type=23 val=1 jobs=+3 | a recursive CTE that starts jobs
WITH RECURSIVE r(i, j) AS (SELECT 1, pgclone_schema_async('c', 'x1') UNION ALL SELECT i + 1, pgclone_schema_async('c', 'x' || i + 1) FROM r WHERE i < 3) SELECT * FROM r ORDER BY i
--@ A128 | both | rows=1 col=j type=23 val=101 jobs=+1 | in FROM, with an alias list
SELECT j FROM pgclone_schema_async('c', 'x') AS t(j)
--@ A129 | both | rows=2 col=i type=23 val=1 jobs=+2 | in FROM, LATERAL, left join
SELECT i, j FROM generate_series(1, 2) i LEFT JOIN LATERAL pgclone_schema_async('c', 'x' || i) j ON i > 1 ORDER BY i
--@ A130 | both | rows=0 col=j type=23 | in FROM, in a join that has no rows
SELECT j FROM generate_series(1, 0) i, LATERAL pgclone_schema_async('c', 'x' || i) j
--@ A131 | both | rows=1 col=array type=1007 val={101,102} jobs=+2 | array constructor
SELECT ARRAY[pgclone_schema_async('c', 'a'), pgclone_schema_async('c', 'b')]
--@ A132 | both | rows=1 col=row type=2249 val=(101,OK) jobs=+2 | row constructor
SELECT ROW(pgclone_schema_async('c', 'a'), pgclone_cancel(7))
--@ A133 | both | rows=1 col=pgclone_schema_async type=25 val=101 jobs=+2 | casts keep the column's name
SELECT pgclone_schema_async('c', 'a')::text, pgclone_schema_async('c', 'b')::bigint AS b
--@ A134 | both | rows=1 type=23 val=203 jobs=+1 | arithmetic
SELECT pgclone_schema_async('c', 'a') * 2 + 1
--@ A135 | both | rows=1 col=array type=23 val=10 jobs=+1 | subscripts
SELECT (ARRAY[10, 20])[pgclone_schema_async('c', 'a') - 100]
--@ A136 | both | rows=1 type=25 val=7 jobs=+1 | the reading of what was started
SELECT pgclone_progress(pgclone_schema_async('c', 'a') - 94)::json->>'job_id'
--@ A137 | both | rows=1 col=job_id type=23 val=7 jobs=+1 | beside the view
SELECT v.job_id, pgclone_cancel(v.job_id) FROM pgclone_jobs_view v WHERE v.status = 'running'
--@ A138 | both | rows=2 col=job_id type=23 val=7 jobs=+2 | of each row of the view
SELECT job_id, pgclone_cancel(job_id) FROM pgclone_jobs_view ORDER BY job_id
--@ A139 | both | rows=1 col=pgclone_schema_async type=23 val=101 jobs=+1 | NULL for one that is not strict
SELECT pgclone_schema_async('c', 'x', NULL, NULL)
--@ A140 | both | rows=1 col=pgclone_resume type=23 val=101 jobs=+3 | all three others
SELECT pgclone_resume(7), pgclone_clear_jobs(), pgclone_cancel(8)
--@ A141 | both | rows=1 col=resume type=23 val=101 jobs=+5 | the schema spelling of each
SELECT pgclone.resume(7), pgclone.clear_jobs(), pgclone.cancel(8), pgclone.table_async('c', 's', 't'), pgclone.schema_async('c', 's')
--@ A142 | both | rows=1 col=pgclone_schema_async type=23 val=101 jobs=+1 | public spelling, quoted
SELECT "public"."pgclone_schema_async"('c', 's')
--@ A143 | both | rows=1 col=pgclone_clear_jobs type=23 val=101 jobs=+1 | columns of the others
SELECT pgclone_clear_jobs()
--@ A144 | both | error=22012 | an error in the second row: nothing started
SELECT pgclone_schema_async('c', 'x'), 1 / (i - 2) FROM generate_series(1, 3) i
--@ A145 | both | error=08001 jobs=+2 | a bad one behind a good one
SELECT pgclone_schema_async('c', 'x'), pgclone_schema_async('bad', 'y')
--@ A146 | both | error=0A000 pos=23 differs=refused | nested in another action
SELECT pgclone_cancel(pgclone_schema_async('c', 'x'))
--@ A147 | both | error=0A000 pos=40 differs=refused | nested deeper
SELECT pgclone_cancel((SELECT coalesce(pgclone_schema_async('c', 'x'), 1)))
--@ A148 | both | error=0A000 differs=refused | nested through a column
SELECT pgclone_cancel(j) FROM (SELECT pgclone_schema_async('c', 'x') j OFFSET 0) q
--@ A149 | both | error=54000 differs=refused | more than a thousand
SELECT count(pgclone_cancel(i)) FROM generate_series(1, 1001) i
--@ A150 | both | rows=1 col=count type=20 val=1000 jobs=+1000 | a thousand
SELECT count(pgclone_cancel(i)) FROM generate_series(1, 1000) i
--@ A151 | both | error=0A000 pos=23 differs=refused | set-returning argument
SELECT pgclone_cancel(generate_series(1, 2))
--@ A152 | both | rows=1 type=16 val=t jobs=+2 | now() as an argument
SELECT pgclone_schema_async('c', now()::text) > 0, pgclone_schema_async('c', current_timestamp::text) > 0
--@ A153 | both | rows=2 type=16 val=t jobs=+2 | a sequence as an argument
SELECT pgclone_schema_async('c', (SELECT 'x' || random())::text) > 0 FROM generate_series(1, 2)
--@ A154 | both | rows=3 type=16 val=t jobs=+3 | gen_random_uuid per row
SELECT pgclone_schema_async('c', gen_random_uuid()::text) > 0 FROM generate_series(1, 3)
--@ A155 | both | rows=3 col=pgclone_schema_async type=23 val=101 jobs=+3 | equal calls in different rows
SELECT pgclone_schema_async('c', 'same') FROM generate_series(1, 3)
--@ A156 | both | rows=3 col=i type=23 val=3 jobs=+3 | ids follow the order of evaluation
SELECT i, pgclone_schema_async('c', 'x' || i) FROM generate_series(1, 3) i ORDER BY i DESC
--@ A157 | both | rows=1 col=pg_typeof type=2206 val=integer jobs=+2 | a function of the user around it
SELECT pg_typeof(pgclone_schema_async('c', 'x')), pg_typeof(pgclone_cancel(7))
--@ A158 | both | rows=1 col=pgclone_table type=25 val=OK jobs=+3 | synchronous calls
SELECT pgclone_table('c', 's', 't'), pgclone_schema('c', 's'), pgclone.schema('c', 's', false)
--@ A159 | both | rows=1 col=pgclone_table type=25 val=OK jobs=+2 | synchronous calls with all arguments
SELECT pgclone_table('c', 's', 't', true, 'u', '{}'), pgclone_schema('c', 's', true, '{}')
--@ A160 | both | rows=1 col=pgclone_schema type=25 val=NULL | strict synchronous call with NULL
SELECT pgclone_schema('c', NULL)
--@ A161 | both | rows=1 col=count type=20 val=1 jobs=+1 | parallel plans
SELECT count(*) FROM pg_class WHERE relname = 'pg_class' AND pgclone_cancel(7) = 'OK'
--@ A162.1 | both | tag=CREATE_S_TABLE tx=I | a table of one's own
CREATE TABLE IF NOT EXISTS a162 (i int, j int)
--@ A162.2 | both | rows=2 col=i type=23 val=1 jobs=+2 tx=I | INSERT SELECT
INSERT INTO a162 SELECT i, pgclone_schema_async('c', 'x' || i) FROM generate_series(1, 2) i RETURNING i, j
--@ A162.3 | both | tag=INSERT_S_0_S_2 jobs=+2 tx=I | INSERT VALUES of many rows
INSERT INTO a162 VALUES (3, pgclone_schema_async('c', 'x3')), (4, pgclone_schema_async('c', 'x4'))
--@ A162.4 | both | rows=2 col=i type=23 val=3 jobs=+2 tx=I | UPDATE sets it
UPDATE a162 SET j = pgclone_schema_async('c', 'u' || i) WHERE i = 3 RETURNING i
--@ A162.5 | both | rows=2 col=i type=23 val=3 tx=I | UPDATE FROM the view
UPDATE a162 SET j = v.job_id FROM pgclone_jobs_view v WHERE v.job_id = 7 AND a162.i = 3 RETURNING a162.*
--@ A162.6 | both | col=i type=23 tx=I | UPDATE of several columns from a subquery
UPDATE a162 SET (i, j) = (SELECT job_id, job_id FROM pgclone_jobs_view WHERE job_id = 8) WHERE i = 4 RETURNING i, j
--@ A162.7 | both | col=status type=25 tx=I | DELETE USING the view
DELETE FROM a162 USING pgclone_jobs_view v WHERE v.job_id = a162.i RETURNING v.status
--@ A162.8 | both | tag=DELETE_S_0 tx=I | DELETE with a call in WHERE
DELETE FROM a162 WHERE pgclone_progress(7) IS NULL OR i > 99
--@ A162.9 | both | tag=MERGE_S_2 tx=I since=15 | MERGE with the view as the source
MERGE INTO a162 t USING pgclone_jobs_view v ON t.i = v.job_id WHEN MATCHED THEN UPDATE SET j = 0 WHEN NOT MATCHED THEN INSERT VALUES (v.job_id, 1)
--@ A162.10 | both | tx=I since=15 | MERGE with a subquery and a call
MERGE INTO a162 t USING (SELECT job_id FROM pgclone_jobs_view WHERE job_id = 7) v ON t.i = v.job_id WHEN MATCHED AND pgclone_progress(v.job_id) IS NOT NULL THEN DELETE
--@ A162.11 | both | rows=1 col=merge_action type=25 val=UPDATE tx=I since=17 | MERGE RETURNING a call
MERGE INTO a162 t USING pgclone_jobs_view v ON t.i = v.job_id WHEN MATCHED THEN UPDATE SET j = 2 WHEN NOT MATCHED THEN DO NOTHING RETURNING merge_action(), pgclone_version()
--@ A162.12 | simple | tag=MERGE_S_2 jobs=+2 tx=I since=15 | MERGE with an action
MERGE INTO a162 t USING (VALUES (50), (51)) v(i) ON t.i = v.i WHEN NOT MATCHED THEN INSERT VALUES (v.i, pgclone_schema_async('c', 'm' || v.i))
--@ A162.13 | simple | rows=2 col=i type=23 val=50 jobs=+2 tx=I since=15 | RETURNING an action
DELETE FROM a162 WHERE i IN (50, 51) RETURNING i, pgclone_cancel(i)
--@ A162.14 | both | rows=2 col=i type=23 val=7 tx=I | a CTE that writes, with the view
WITH w AS (INSERT INTO a162 SELECT job_id, 9 FROM pgclone_jobs_view RETURNING i) SELECT i, pgclone_progress(i) IS NOT NULL FROM w ORDER BY i
--@ A162.15 | both | rows=1 col=j type=23 val=101 jobs=+1 tx=I | a CTE that writes and starts
WITH w AS (INSERT INTO a162 VALUES (60, pgclone_schema_async('c', 'w')) RETURNING j) SELECT j FROM w
--@ A162.16 | both | rows=2 type=16 val=t tx=I since=18 | RETURNING OLD and NEW
UPDATE a162 SET j = j + 1 WHERE i = 60 RETURNING WITH (OLD AS o, NEW AS n) o.j < n.j, pgclone_version()
--@ A162.17 | both | tag=TRUNCATE_S_TABLE tx=I | TRUNCATE
TRUNCATE a162
--@ A163.1 | simple | tag=CREATE_S_TABLE tx=I | unique
CREATE TABLE a163 (k text PRIMARY KEY, j int NOT NULL CHECK (j > 0))
--@ A163.2 | simple | rows=1 col=j type=23 val=1 tx=I | ON CONFLICT DO UPDATE with an action
INSERT INTO a163 VALUES ('a', 1) ON CONFLICT (k) DO UPDATE SET j = pgclone_schema_async('c', 'conflict') RETURNING j
--@ A163.3 | both | rows=1 col=j type=23 val=8 tx=I | ON CONFLICT DO UPDATE with the view
INSERT INTO a163 VALUES ('a', 1) ON CONFLICT (k) DO UPDATE SET j = (SELECT max(job_id) FROM pgclone_jobs_view) RETURNING j
--@ A163.4 | both | tag=INSERT_S_0_S_0 jobs=+1 tx=I | ON CONFLICT DO NOTHING still evaluates
INSERT INTO a163 VALUES ('a', pgclone_schema_async('c', 'x')) ON CONFLICT DO NOTHING
--@ A163.5 | both | error=23505 tx=I | a row that the server refuses starts nothing
INSERT INTO a163 VALUES ('a', pgclone_schema_async('c', 'x'))
--@ A163.6 | both | error=23505 tx=I | nor does one of several
INSERT INTO a163 SELECT k, pgclone_schema_async('c', k) FROM (VALUES ('b'), ('a')) v(k)
--@ A163.7 | both | rows=1 col=k type=25 val=a tx=I | nothing came of it
SELECT k, j FROM a163
--@ A163.8 | simple | tag=SELECT_S_1 jobs=+1 tx=I | SELECT INTO
SELECT pgclone_schema_async('c', 'into') AS j, pgclone_version() INTO TEMP a163_made
--@ A163.9 | both | rows=1 col=j type=23 val=101 tx=I | what was made
SELECT * FROM a163_made
--@ A163.10 | ext | tag=SELECT_S_2 tx=I | CREATE TABLE AS with the view, by Parse
CREATE TEMP TABLE a163_copy AS SELECT job_id, status FROM pgclone_jobs_view
--@ A163.11 | both | rows=2 col=job_id type=23 val=7 tx=I | a copy
SELECT * FROM a163_copy ORDER BY 1
--@ A163.12 | simple | tag=CREATE_S_TABLE_S_AS tx=I | WITH NO DATA calls nothing
CREATE TEMP TABLE a163_empty AS SELECT pgclone_schema_async('c', 'x') AS j WITH NO DATA
--@ A163.13 | simple | tag=CREATE_S_TABLE_S_AS tx=I | IF NOT EXISTS of one that exists calls nothing
CREATE TEMP TABLE IF NOT EXISTS a163_empty AS SELECT pgclone_schema_async('c', 'x') AS j
--@ A163.14 | simple | tag=SELECT_S_2 tx=I | CREATE TABLE AS TABLE
CREATE TEMP TABLE a163_all AS TABLE pgclone_jobs_view
--@ A163.15 | both | rows=1 col=string_agg type=25 tx=I | its types
SELECT string_agg(format_type(atttypid, atttypmod), ',' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'a163_all'::regclass AND attnum > 0
--@ A164.1 | simple | tag=CREATE_S_TRIGGER tx=I | a trigger that refuses
CREATE TABLE a164 (j int); CREATE FUNCTION a164_no() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'never' USING ERRCODE = 'P0001'; END$$; CREATE TRIGGER no BEFORE INSERT ON a164 FOR EACH ROW EXECUTE FUNCTION a164_no()
--@ A164.2 | both | error=P0001 tx=I | so nothing is started
INSERT INTO a164 SELECT pgclone_schema_async('c', 'x')
--@ A165.1 | simple | tag=CREATE_S_FUNCTION tx=I | a function of the user's that raises a notice
CREATE FUNCTION a165(int) RETURNS int LANGUAGE plpgsql AS $$BEGIN RAISE NOTICE 'got %', $1 IS NOT NULL; RETURN $1; END$$
--@ A165.2 | both | rows=1 type=16 val=t jobs=+1 tx=I | is heard once
SELECT a165(pgclone_schema_async('c', 'x')) > 0
--@ A166.1 | simple | tag=CREATE_S_SEQUENCE tx=I | a sequence
CREATE SEQUENCE a166
--@ A166.2 | simple | rows=1 type=16 val=t jobs=+1 tx=I differs=passes | each pass takes a number
SELECT nextval('a166') > 0, pgclone_schema_async('c', 'x'), currval('a166') > 1
