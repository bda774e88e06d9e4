--# Where the view and functions that only read may stand in a statement.
--# Format: see interception.sql.
--@ S001 | both | rows=5 col=status type=25 val=completed | grouping sets over a call
SELECT status, pgclone_progress(job_id) IS NULL AS p, count(*) FROM pgclone_jobs_view GROUP BY GROUPING SETS ((status), (pgclone_progress(job_id)), ()) ORDER BY 1, 2, 3
--@ S002 | both | rows=7 col=op_type type=25 val=schema | CUBE and GROUPING
SELECT op_type, status, grouping(op_type, status), count(*) FROM pgclone_jobs_view GROUP BY CUBE (op_type, status) ORDER BY 1, 2, 3
--@ S003 | both | rows=2 col=status type=25 val=completed | HAVING with a call
SELECT status FROM pgclone_jobs_view GROUP BY status, job_id HAVING length(pgclone_progress(job_id)) > 0 ORDER BY 1
--@ S004 | both | rows=2 col=job_id type=23 val=7 | window frame with an offset from a call
SELECT job_id, sum(job_id) OVER (ORDER BY job_id ROWS BETWEEN length(pgclone_version()) PRECEDING AND CURRENT ROW) FROM pgclone_jobs_view ORDER BY 1
--@ S005 | both | rows=2 col=f type=16 val=t | named window over a call
SELECT first_value(pgclone_progress(job_id)) OVER w = pgclone_progress(7) AS f FROM pgclone_jobs_view WINDOW w AS (ORDER BY job_id) ORDER BY job_id
--@ S006 | both | rows=2 col=job_id type=23 val=7 | LATERAL subquery
SELECT v.job_id, l.s FROM pgclone_jobs_view v, LATERAL (SELECT pgclone_progress(v.job_id)::json->>'status' AS s) l ORDER BY 1
--@ S007 | both | rows=2 col=job_id type=23 val=7 | LATERAL function written so
SELECT v.job_id, p::json->>'status' FROM pgclone_jobs_view v CROSS JOIN LATERAL pgclone_progress(v.job_id) p ORDER BY 1
--@ S008 | both | rows=2 col=i type=23 val=7 | recursive CTE over the view
WITH RECURSIVE r(i, s) AS (SELECT job_id, status FROM pgclone_jobs_view WHERE job_id = 7 UNION ALL SELECT v.job_id, v.status FROM r JOIN pgclone_jobs_view v ON v.job_id = r.i + 1) SELECT * FROM r ORDER BY i
--@ S009 | both | rows=2 col=i type=23 val=7 | recursive CTE with SEARCH and CYCLE
WITH RECURSIVE r(i) AS (SELECT 7 UNION ALL SELECT v.job_id FROM r, pgclone_jobs_view v WHERE v.job_id = r.i + 1) SEARCH DEPTH FIRST BY i SET o CYCLE i SET c USING p SELECT i, c FROM r ORDER BY o
--@ S010 | both | rows=2 col=i type=23 val=7 | a call in the recursive term
WITH RECURSIVE r(i, p) AS (SELECT 7, pgclone_progress(7) UNION ALL SELECT i + 1, pgclone_progress(i + 1) FROM r WHERE i < 8) SELECT i, p::json->>'status' FROM r
--@ S011 | both | rows=2 col=job_id type=23 val=7 | NATURAL JOIN of the view with itself
SELECT job_id FROM pgclone_jobs_view NATURAL JOIN (SELECT job_id, status FROM pgclone_jobs_view) x ORDER BY 1
--@ S012 | both | rows=2 col=job_id type=23 val=7 | USING with an alias
SELECT u.job_id, a.status FROM pgclone_jobs_view a JOIN pgclone_jobs_view b USING (job_id) AS u ORDER BY 1
--@ S013 | both | rows=3 col=job_id type=23 val=7 | FULL JOIN
SELECT a.job_id, b.i FROM pgclone_jobs_view a FULL JOIN generate_series(8, 9) b(i) ON a.job_id = b.i ORDER BY 1, 2
--@ S014 | both | rows=1 col=job_id type=23 val=7 | join in parentheses with an alias
SELECT j.job_id, j.i FROM (pgclone_jobs_view JOIN generate_series(7, 7) i ON i = job_id) AS j
--@ S015 | both | rows=2 col=a type=23 val=7 | aliased columns of a join
SELECT j.a, j.b FROM (pgclone_jobs_view v CROSS JOIN (VALUES (1)) x(y)) AS j(a, b) ORDER BY 1
--@ S016 | both | rows=1 col=job_id type=23 val=8 | all columns of an alias
SELECT v.* FROM pgclone_jobs_view AS v WHERE v.job_id = 8
--@ S017 | both | rows=1 col=count type=20 val=2 | whole row compared
SELECT count(*) FROM pgclone_jobs_view a JOIN pgclone_jobs_view b ON a = b
--@ S018 | both | rows=1 col=job_id type=23 val=7 | row comparison
SELECT job_id FROM pgclone_jobs_view WHERE (job_id, status) = (7, 'running')
--@ S019 | both | rows=1 col=job_id type=23 val=8 | row IN
SELECT job_id FROM pgclone_jobs_view WHERE (job_id, status) IN (SELECT job_id, status FROM pgclone_jobs_view WHERE job_id = 8)
--@ S020 | both | rows=2 col=status type=25 val=completed | field of a whole row
SELECT (v).status FROM pgclone_jobs_view v ORDER BY 1
--@ S021 | both | rows=1 col=job_id type=23 val=7 | all fields of a whole row
SELECT (v).* FROM pgclone_jobs_view v WHERE job_id = 7
--@ S022 | both | rows=1 type=16 val=f | whole row is null
SELECT v IS NULL, v IS NOT NULL, v.* IS NOT NULL FROM pgclone_jobs_view v WHERE job_id = 7
--@ S023 | both | rows=1 col=array type=1009 | array of calls
SELECT ARRAY[pgclone_progress(7), pgclone_version()]
--@ S024 | both | rows=1 col=array type=25 val=x | array subscript on a call
SELECT (ARRAY[pgclone_version(), 'x'])[2], (string_to_array(pgclone_version(), ' '))[1]
--@ S025 | both | rows=1 col=array_agg type=1007 val={7} | array slice
SELECT (array_agg(job_id ORDER BY job_id))[1:1] FROM pgclone_jobs_view
--@ S026 | both | rows=1 type=16 val=t | ANY over the view
SELECT 7 = ANY (SELECT job_id FROM pgclone_jobs_view), 9 <> ALL (SELECT job_id FROM pgclone_jobs_view)
--@ S027 | both | rows=0 col=job_id type=23 | XMLTABLE beside the view
SELECT v.job_id, x.n FROM pgclone_jobs_view v, XMLTABLE('/r/n' PASSING xmlparse(document '<r><n>1</n></r>') COLUMNS n int PATH '.') x WHERE v.job_id < 0
--@ S028 | both | rows=1 col=j type=23 val=7 since=17 | JSON_TABLE over a call
SELECT t.j, t.s FROM JSON_TABLE(pgclone_progress(7)::jsonb, '$' COLUMNS (j int PATH '$.job_id', s text PATH '$.status')) t
--@ S029 | both | rows=2 col=job_id type=23 val=7 since=17 | JSON_TABLE over each row of the view
SELECT v.job_id, t.s FROM pgclone_jobs_view v, JSON_TABLE(to_jsonb(v), '$' COLUMNS (s text PATH '$.status')) t ORDER BY 1
--@ S030 | both | rows=1 col=job_id type=23 val=7 | jsonb_to_record of a call
SELECT r.job_id, r.status FROM jsonb_to_record(pgclone_progress(7)::jsonb) AS r(job_id int, status text)
--@ S031 | both | rows=2 type=25 val=7 | json_array_elements of a call in FROM
SELECT e->>'job_id' FROM json_array_elements(pgclone_jobs()::json) e ORDER BY 1
--@ S032 | both | rows=2 col=job_id type=23 val=7 | ORDER BY position
SELECT job_id, status FROM pgclone_jobs_view ORDER BY 2 DESC, 1
--@ S033 | both | rows=2 col=pgclone_progress type=25 | ORDER BY the call's name
SELECT pgclone_progress(job_id) FROM pgclone_jobs_view ORDER BY pgclone_progress DESC
--@ S034 | both | rows=1 col=pgclone_version type=25 val=pgclone_S_test | GROUP BY the call's name
SELECT pgclone_version(), count(*) FROM pgclone_jobs_view GROUP BY pgclone_version
--@ S035 | both | rows=1 col=pgclone_version type=25 val=pgclone_S_test | GROUP BY position of a call
SELECT pgclone_version(), count(*) FROM pgclone_jobs_view GROUP BY 1
--@ S036 | both | rows=1 col=job_id type=23 val=8 | DISTINCT ON a call
SELECT DISTINCT ON (pgclone_version()) job_id FROM pgclone_jobs_view ORDER BY pgclone_version(), job_id DESC
--@ S037 | both | rows=2 col=status type=25 val=completed | DISTINCT
SELECT DISTINCT status FROM pgclone_jobs_view ORDER BY status
--@ S038 | both | rows=2 col=job_id type=23 val=7 | FETCH FIRST WITH TIES
SELECT job_id FROM pgclone_jobs_view ORDER BY op_type IS NULL FETCH FIRST 1 ROW WITH TIES
--@ S039 | both | rows=1 col=job_id type=23 val=8 | LIMIT of a call
SELECT job_id FROM pgclone_jobs_view ORDER BY 1 LIMIT length(pgclone_version()) OFFSET 1
--@ S040 | both | rows=2 col=job_id type=23 val=7 | FOR SHARE OF
SELECT v.job_id FROM pgclone_jobs_view v ORDER BY 1 FOR SHARE OF v SKIP LOCKED
--@ S041 | both | error=42703 pos=8 | ctid of a view
SELECT v.ctid FROM pgclone_jobs_view v
--@ S042 | both | error=42703 pos=8 | tableoid of a view
SELECT tableoid FROM pgclone_jobs_view
--@ S043 | both | error=42703 pos=8 | xmin qualified
SELECT pgclone_jobs_view.xmin FROM pgclone_jobs_view
--@ S044 | both | rows=2 col=case type=25 | CASE takes its name only from ELSE
SELECT CASE status WHEN 'running' THEN pgclone_progress(job_id) END FROM pgclone_jobs_view ORDER BY job_id
--@ S045 | both | rows=1 col=nullif type=25 val=pgclone_S_test | NULLIF, GREATEST, COALESCE keep their names
SELECT nullif(pgclone_version(), ''), greatest(pgclone_version(), ''), coalesce(pgclone_version()), least(pgclone_version())
--@ S046 | both | rows=1 type=16 val=t | COLLATE keeps the function's name
SELECT pgclone_version() COLLATE "C" < 'z' COLLATE "C", pgclone_version() COLLATE "C"
--@ S047 | both | rows=1 col=pgclone_version type=1043 val=pgc | casts of many spellings keep the function's name
SELECT pgclone_version()::varchar(3), CAST(pgclone_version() AS character varying), pgclone_version()::"char", pgclone_version()::name, pgclone_version()::bpchar
--@ S048 | both | rows=0 col=length type=701 | casts with words behind
SELECT length(pgclone_version())::double precision, pgclone_progress(7)::character varying(10), pgclone_progress(7)::text[] FROM (VALUES (1)) t WHERE false
--@ S049 | both | rows=0 col=pgclone_version type=1184 | cast to timestamp with time zone, then FROM
SELECT pgclone_version()::timestamp with time zone FROM pgclone_jobs_view WHERE false
--@ S050 | both | rows=0 col=pgclone_version type=1114 | cast to timestamp without time zone, then WHERE
SELECT pgclone_version()::timestamp(3) without time zone WHERE false
--@ S051 | both | rows=0 col=pgclone_version type=1186 | cast to interval with fields
SELECT pgclone_version()::interval day to second(2) WHERE false
--@ S052 | both | rows=2 type=16 val=t | AT TIME ZONE over the view
SELECT start_time AT TIME ZONE 'UTC' IS NOT NULL FROM pgclone_jobs_view ORDER BY 1
--@ S053 | both | rows=1 col=date type=1082 val=2020-01-01 | type 'string' constants beside
SELECT date '2020-01-01', pgclone_version(), interval '1' day
--@ S054 | both | rows=2 col=from type=25 val=pgclone_S_test | a quoted alias like a keyword
SELECT pgclone_version() "from", job_id "select" FROM pgclone_jobs_view ORDER BY 2
--@ S055 | both | rows=1 col=version type=25 val=pgclone_S_test | an alias without AS that is a keyword elsewhere
SELECT pgclone_version() version, pgclone_progress(7) status
--@ S056 | both | rows=1 col=pgclone_version type=25 val=pgclone_S_test | sublinks name their column by their own
SELECT (SELECT pgclone_version()), (SELECT status FROM pgclone_jobs_view WHERE job_id = 7), EXISTS (TABLE pgclone_jobs_view), ARRAY(SELECT pgclone_version())
--@ S057 | both | rows=2 col=column1 type=25 val=pgclone_S_test | VALUES with calls
VALUES (pgclone_version(), pgclone_progress(7)), ('x', NULL)
--@ S058 | both | rows=1 col=a type=25 val=pgclone_S_test | VALUES in FROM with calls
SELECT a FROM (VALUES (pgclone_version())) t(a)
--@ S059 | both | rows=2 col=pgclone_version type=25 val=pgclone_S_test | UNION of calls takes the first name
SELECT pgclone_version() UNION ALL SELECT status FROM pgclone_jobs_view WHERE job_id = 7
--@ S060 | both | rows=1 col=job_id type=23 val=7 | INTERSECT and EXCEPT
SELECT job_id FROM pgclone_jobs_view INTERSECT SELECT 7 EXCEPT SELECT 8
--@ S061 | both | rows=2 col=job_id type=23 val=7 | TABLE in a set operation
TABLE pgclone_jobs_view UNION TABLE pgclone.jobs_view ORDER BY 1
--@ S062 | both | rows=1 type=16 val=t | TABLE in IN
SELECT 7 IN (SELECT job_id FROM (TABLE pgclone_jobs_view) x)
--@ S063 | both | rows=1 col=count type=20 val=2 | ONLY with parentheses and schema
SELECT count(*) FROM ONLY (pgclone.jobs_view)
--@ S064 | both | rows=1 col=job_id type=23 val=7 | a query in parentheses
(SELECT job_id FROM pgclone_jobs_view ORDER BY 1 LIMIT 1)
--@ S065 | both | rows=2 col=job_id type=23 val=7 | nested parentheses with WITH inside
((WITH q AS (SELECT job_id FROM pgclone_jobs_view) SELECT * FROM q ORDER BY 1))
--@ S066 | both | rows=1 col=count type=20 val=1 | FILTER over the view
SELECT count(*) FILTER (WHERE status = 'running'), string_agg(status, ',' ORDER BY job_id) FROM pgclone_jobs_view
--@ S067 | both | rows=1 type=16 val=t | ordered-set aggregate over calls
SELECT mode() WITHIN GROUP (ORDER BY pgclone_version()) = pgclone_version() FROM pgclone_jobs_view
--@ S068 | both | rows=1 type=16 val=t | IS DISTINCT FROM, BETWEEN, LIKE, SIMILAR
SELECT pgclone_version() LIKE 'p%', pgclone_version() SIMILAR TO 'p%', pgclone_version() BETWEEN 'a' AND 'z', pgclone_version() IS NOT DISTINCT FROM 'x', pgclone_version() ~ '^p'
--@ S069 | both | rows=2 type=25 val=pgclone_S_testx | OPERATOR() syntax
SELECT pgclone_version() OPERATOR(pg_catalog.||) 'x', 7 OPERATOR(pg_catalog.=) job_id FROM pgclone_jobs_view ORDER BY 2
--@ S070 | both | rows=1 col=substring type=25 val=pgc | substring FROM FOR and trim FROM
SELECT substring(pgclone_version() FROM 1 FOR 3), trim(both 'p' from pgclone_version()), position('g' in pgclone_version()), overlay(pgclone_version() placing 'X' from 1 for 1)
--@ S071 | both | rows=2 type=16 val=t | extract from a column
SELECT extract(year from start_time) > 2000 FROM pgclone_jobs_view ORDER BY 1
--@ S072 | both | rows=1 type=25 val=7 | json functions
SELECT json_build_object('p', pgclone_progress(7)::json)->'p'->>'job_id', to_json(pgclone_version()), jsonb_pretty(pgclone_progress(8)::jsonb) IS NOT NULL
--@ S073 | both | rows=1 type=16 val=t since=16 | IS JSON on a call
SELECT pgclone_progress(7) IS JSON, pgclone_progress(7) IS JSON OBJECT WITH UNIQUE KEYS, pgclone_version() IS NOT JSON
--@ S074 | both | rows=1 col=json_object type=114 val={"a"_S_:_S_"pgclone_S_test"} since=16 | JSON constructors
SELECT JSON_OBJECT('a': pgclone_version()), JSON_ARRAY(SELECT job_id FROM pgclone_jobs_view ORDER BY 1), JSON_ARRAYAGG(job_id) FROM pgclone_jobs_view
--@ S075 | both | rows=1 col=json_value type=25 val=running since=17 | JSON_VALUE of a call
SELECT JSON_VALUE(pgclone_progress(7)::jsonb, '$.status'), JSON_EXISTS(pgclone_progress(7)::jsonb, '$.job_id')
--@ S077 | both | rows=2 col=s type=25 val=completed | grouping by the alias of an output column
SELECT status AS s, count(*) FROM pgclone_jobs_view GROUP BY s ORDER BY s
--@ S078 | both | rows=2 tag=SELECT_S_2 | an empty select list
SELECT FROM pgclone_jobs_view
--@ S079 | both | rows=2 col=job_id type=23 val=7 | aliases of tables like keywords of ours
SELECT jobs_view.job_id FROM pgclone_jobs_view jobs_view ORDER BY 1
--@ S080 | both | rows=2 col=job_id type=23 val=7 | the view without schema but qualified columns
SELECT pgclone_jobs_view.job_id, pgclone_jobs_view.status AS s FROM pgclone_jobs_view ORDER BY pgclone_jobs_view.job_id
--@ S081 | both | rows=2 col=job_id type=23 val=7 | the schema spelling names its columns by the view's name
SELECT jobs_view.job_id FROM pgclone.jobs_view ORDER BY jobs_view.job_id
--@ S082 | both | rows=1 col=job_id type=23 val=7 | columns with schema in the other spelling
SELECT pgclone.jobs_view.job_id, pgclone.jobs_view.* FROM pgclone.jobs_view WHERE pgclone.jobs_view.job_id = 7
--@ S083 | both | rows=1 col=count type=20 val=2 | whole row by schema-qualified star
SELECT count(public.pgclone_jobs_view.*) FROM public.pgclone_jobs_view
--@ S084 | both | error=42P01 pos=15 | a table of another schema with our name
SELECT 1 FROM pg_catalog.pgclone_jobs_view
--@ S085 | both | rows=1 type=25 val=pgclone_progress(7) | name of a cursor, savepoint, role like ours
SELECT 'pgclone_progress(7)' AS "pgclone_progress(7)", 1 AS pgclone_jobs_view
--@ S086 | both | rows=2 col=row_to_json type=114 val={"f1":7,"f2":"running"} | composite type of the view
SELECT row_to_json((job_id, status)) FROM pgclone_jobs_view ORDER BY job_id
--@ S087 | both | rows=2 col=generate_series type=23 val=1 | set-returning function of the server in the select list beside ours
SELECT generate_series(1, 2), pgclone_version()
--@ S088 | both | rows=2 col=unnest type=25 val=pgclone_S_test | unnest over an array of calls
SELECT unnest(ARRAY[pgclone_version(), pgclone_progress(7)])
--@ S089 | both | rows=2 col=i type=23 val=7 | ROWS FROM without ours, WITH ORDINALITY
SELECT * FROM ROWS FROM (generate_series(7, 8), unnest(ARRAY['a', 'b'])) WITH ORDINALITY AS r(i, x, o), pgclone_jobs_view v WHERE v.job_id = r.i ORDER BY 1
--@ S090 | both | rows=1 col=job_id type=23 val=7 | progress_detail as a set
SELECT d.job_id, d.status FROM pgclone.progress_detail() AS d WHERE d.job_id = 7
--@ S091 | both | rows=2 col=a type=23 val=7 | progress_detail with alias list
SELECT a, b FROM pgclone_progress_detail() AS d(a, b) ORDER BY a
--@ S092 | both | error=42601 pos=46 | progress_detail with a column definition list
SELECT * FROM pgclone_progress_detail() AS d(a int)
--@ S093 | both | rows=2 col=g type=23 val=7 | progress_detail joined laterally
SELECT g, d.status FROM generate_series(7, 8) g, LATERAL (SELECT * FROM pgclone_progress_detail() x WHERE x.job_id = g) d ORDER BY 1
--@ S094 | both | error=42883 pos=15 | progress_detail takes no argument
SELECT * FROM pgclone_progress_detail(7)
--@ S095 | both | rows=1 col=job_id type=23 val=8 | the row of progress_detail
SELECT d.* FROM pgclone_progress_detail() d WHERE job_id = 8
--@ S096 | both | rows=1 type=25 val=7 | function in FROM with an alias that is a column too
SELECT progress.progress::json->>'job_id' FROM pgclone.progress(7)
--@ S097 | both | rows=1 col=v type=25 val=pgclone_S_test | version in FROM
SELECT v, length(v) > 0 FROM pgclone_version() v
--@ S098 | both | rows=1 col=json_array_length type=23 val=2 | jobs in FROM with an alias list
SELECT json_array_length(x::json) FROM pgclone_jobs() AS t(x)
--@ S099 | both | error=0A000 pos=15 differs=refused | scalar function in FROM with ordinality
SELECT * FROM pgclone_version() WITH ORDINALITY
--@ S100 | both | error=42601 pos=38 | scalar function in FROM with a column definition list
SELECT * FROM pgclone_version() AS t(v text)
