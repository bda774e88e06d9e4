--# What BI tools, dashboards and database browsers make of a question about the jobs view: their wrappers, aliases,
--# probes, cursors and row estimates.  Format and fixture: see interception.sql; there are the commonest shapes too.
--# The texts are written after each tool's habits, shortened.

--# ============================== Metabase: every column by schema and table, native questions as "source"
--@ MB01 | both | rows=2 col=job_id type=23 val=7 | browse, behind its remark
-- Metabase:: userID: 1 queryType: MBQL queryHash: 6b6dc3
SELECT "public"."pgclone_jobs_view"."job_id" AS "job_id", "public"."pgclone_jobs_view"."status" AS "status", "public"."pgclone_jobs_view"."start_time" AS "start_time" FROM "public"."pgclone_jobs_view" ORDER BY "public"."pgclone_jobs_view"."job_id" ASC LIMIT 2000
--@ MB02 | both | rows=1 col=start_time type=1184 | month bucket, grouped and ordered by the expression
SELECT DATE_TRUNC('month', "public"."pgclone_jobs_view"."start_time") AS "start_time", COUNT(*) AS "count" FROM "public"."pgclone_jobs_view" GROUP BY DATE_TRUNC('month', "public"."pgclone_jobs_view"."start_time") ORDER BY DATE_TRUNC('month', "public"."pgclone_jobs_view"."start_time") ASC
--@ MB03 | both | rows=1 val=2 type=20 | week that begins on Sunday, over a nested question
SELECT COUNT(*) AS "count", (DATE_TRUNC('week', ("source"."start_time" + INTERVAL '1 day')) + INTERVAL '-1 day') AS "start_time" FROM (SELECT "public"."pgclone_jobs_view"."start_time" AS "start_time" FROM "public"."pgclone_jobs_view" WHERE ("public"."pgclone_jobs_view"."status" <> 'x') OR ("public"."pgclone_jobs_view"."status" IS NULL)) AS "source" GROUP BY 2 ORDER BY 2 ASC
--@ MB04 | both | rows=2 col=substring4711 val=completed | sample of a text column, cut
SELECT SUBSTRING("public"."pgclone_jobs_view"."status", 1, 1234) AS "substring4711" FROM "public"."pgclone_jobs_view" ORDER BY 1 LIMIT 10000
--@ MB05 | both | rows=1 val=2 | how many values a field has
SELECT COUNT(DISTINCT "public"."pgclone_jobs_view"."status") AS "count", MIN("public"."pgclone_jobs_view"."start_time") AS "min", MAX("public"."pgclone_jobs_view"."start_time") AS "max" FROM "public"."pgclone_jobs_view"
--@ MB06 | both | rows=2 val=completed | values of a field, for its filter
SELECT "public"."pgclone_jobs_view"."status" AS "status" FROM "public"."pgclone_jobs_view" GROUP BY "public"."pgclone_jobs_view"."status" ORDER BY "public"."pgclone_jobs_view"."status" ASC LIMIT 1000
--@ MB07 | both | rows=0 | may I read it?
SELECT TRUE FROM "public"."pgclone_jobs_view" WHERE 1 <> 1 LIMIT 0
--@ MB08 | ext ["2000-01-01 00:00:00+00", "2100-01-01 00:00:00+00", "running"] | rows=1 val=running | range and value as parameters
SELECT "source"."status" AS "status", SUM("source"."rows_copied") AS "sum" FROM (SELECT * FROM pgclone_jobs_view) AS "source" WHERE ("source"."start_time" >= $1) AND ("source"."start_time" < $2) AND ("source"."status" = $3) GROUP BY "source"."status" LIMIT 1048575
--@ MB09 | both | rows=1 col=pct_complete type=701 | numbers in bins, and a share
SELECT FLOOR(("public"."pgclone_jobs_view"."pct_complete" / 200.0)) * 200.0 AS "pct_complete", CAST(SUM(CASE WHEN "public"."pgclone_jobs_view"."status" = 'failed' THEN 1 ELSE 0.0 END) AS float) / NULLIF(COUNT(*), 0) AS "share" FROM "public"."pgclone_jobs_view" WHERE "public"."pgclone_jobs_view"."pct_complete" < 100 OR "public"."pgclone_jobs_view"."pct_complete" IS NOT NULL AND 1 = 0 GROUP BY FLOOR(("public"."pgclone_jobs_view"."pct_complete" / 200.0)) * 200.0
--@ MB10 | both | rows=2 col=job_id | join with another question, columns renamed by table
SELECT "public"."pgclone_jobs_view"."job_id" AS "job_id", "Question 2"."status" AS "Question 2__status" FROM "public"."pgclone_jobs_view" LEFT JOIN (SELECT job_id, status FROM pgclone.jobs_view) AS "Question 2" ON "public"."pgclone_jobs_view"."job_id" = "Question 2"."job_id" ORDER BY 1 LIMIT 1048575

--# ============================== Superset: virtual_table, inner_qry, TO_TIMESTAMP, series_limit
--@ SU01 | both | rows=2 col=status | a chart on the physical dataset
SELECT status AS status, count(*) AS count FROM public.pgclone_jobs_view GROUP BY status ORDER BY count DESC LIMIT 1000
--@ SU02 | both | rows=1 col=__timestamp | a time series on a virtual dataset
SELECT DATE_TRUNC('year', start_time) AS __timestamp, count(*) AS count, sum(rows_copied) AS "SUM(rows_copied)" FROM (SELECT job_id, status, start_time, rows_copied
FROM pgclone_jobs_view
) AS virtual_table WHERE start_time >= TO_TIMESTAMP('2000-01-01 00:00:00.000000', 'YYYY-MM-DD HH24:MI:SS.US') AND start_time < TO_TIMESTAMP('2100-01-01 00:00:00.000000', 'YYYY-MM-DD HH24:MI:SS.US') GROUP BY DATE_TRUNC('year', start_time) ORDER BY count DESC LIMIT 50000
--@ SU03 | both | rows=1 col=__timestamp | the series that matter, as a join
SELECT DATE_TRUNC('year', start_time) AS __timestamp, status AS status, avg(pct_complete) AS "AVG(pct_complete)" FROM public.pgclone_jobs_view JOIN (SELECT status AS status__, count(*) AS mme_inner__ FROM public.pgclone_jobs_view GROUP BY status ORDER BY status DESC LIMIT 1) AS series_limit ON status = status__ GROUP BY DATE_TRUNC('year', start_time), status LIMIT 10000
--@ SU04 | both | rows=0 col=job_id type=23 | which columns a virtual dataset has
SELECT * FROM (SELECT * FROM pgclone_jobs_view) AS inner_qry WHERE FALSE
--@ SU05 | both | rows=2 col=job_id | SQL Lab adds a limit and keeps the remark
-- jobs of this week
SELECT *
FROM pgclone_jobs_view
LIMIT 1001
--@ SU06 | both | rows=2 col=status | a WITH of the user's, beside its own wrapper
WITH recent AS (SELECT * FROM pgclone_jobs_view WHERE start_time > now() - interval '1 day'), __cte AS (SELECT * FROM recent) SELECT status AS status, count(*) AS count FROM __cte GROUP BY status LIMIT 100
--@ SU07 | both | rows>=1 col=QUERY_S_PLAN differs=plan | what would it cost?
EXPLAIN SELECT status, count(*) FROM (SELECT * FROM public.pgclone_jobs_view) AS virtual_table GROUP BY status
--@ SU08 | both | rows=2 | values for a filter box, with their totals
SELECT status AS status FROM public.pgclone_jobs_view GROUP BY status HAVING ((count(*) > 0)) ORDER BY status ASC LIMIT 1000
--@ SU09 | both | rows=1 val=2 | rows of a table chart
SELECT COUNT(*) AS rowcount FROM (SELECT job_id AS job_id, progress_bar AS progress_bar FROM public.pgclone_jobs_view LIMIT 1000) AS rowcount_qry

--# ============================== Tableau: "Custom SQL Query", mangled aliases, cursors, tables of its own
--@ TA01 | both | rows=0 col=job_id type=23 | which columns?
SELECT * FROM (
select * from pgclone_jobs_view
) "Custom SQL Query" LIMIT 0
--@ TA02 | both | rows=1 col=ctd:job_id:ok val=2 | distinct count, month, HAVING
SELECT COUNT(DISTINCT "pgclone_jobs_view"."job_id") AS "ctd:job_id:ok",
  DATE_TRUNC( 'YEAR', CAST("pgclone_jobs_view"."start_time" AS TIMESTAMP) ) AS "tyr:start_time:ok"
FROM "public"."pgclone_jobs_view" "pgclone_jobs_view"
GROUP BY 2
HAVING (COUNT(1) > 0)
--@ TA03 | both | rows=2 val=completed | CASE groups, CAST AS TEXT
SELECT CAST("Custom SQL Query"."status" AS TEXT) AS "status", (CASE WHEN ("Custom SQL Query"."status" IN ('failed', 'cancelled')) THEN 'bad' ELSE 'good' END) AS "Group", SUM(1) AS "sum:Number of Records:ok" FROM (select job_id, status from pgclone.jobs_view) "Custom SQL Query" WHERE (NOT ("Custom SQL Query"."job_id" IS NULL)) GROUP BY 1, 2 ORDER BY 1 ASC NULLS FIRST
--@ TA04.1 | simple | rows=2 tx=T | cursor of the table itself, with its fetch
BEGIN;declare "SQL_CUR7f1c" cursor with hold for SELECT "pgclone_jobs_view"."job_id" AS "job_id", CAST("pgclone_jobs_view"."progress_bar" AS TEXT) AS "progress_bar" FROM "public"."pgclone_jobs_view" "pgclone_jobs_view" LIMIT 1000;fetch 100 in "SQL_CUR7f1c"
--@ TA04.2 | simple | tag=COMMIT tx=I | kept beyond its transaction
COMMIT
--@ TA04.3 | simple | rows=0 tx=I | at its end
fetch 100 in "SQL_CUR7f1c"
--@ TA04.4 | simple | tag=CLOSE_S_CURSOR | closed
close "SQL_CUR7f1c"
--@ TA05.1 | simple | tag=CREATE_S_TABLE | a filter with many values is a table of its own
CREATE LOCAL TEMPORARY TABLE "#Tableau_1_1_Filter" ("X_status" TEXT) ON COMMIT PRESERVE ROWS
--@ TA05.2 | ext ["running"] | tag=INSERT_S_0_S_1 | filled
INSERT INTO "#Tableau_1_1_Filter" ("X_status") VALUES ($1)
--@ TA05.3 | both | rows=1 val=7 | and joined
SELECT "pgclone_jobs_view"."job_id" AS "job_id" FROM "public"."pgclone_jobs_view" "pgclone_jobs_view" INNER JOIN "#Tableau_1_1_Filter" "Filter" ON ("pgclone_jobs_view"."status" = "Filter"."X_status") GROUP BY 1
--@ TA05.4 | simple | tag=SELECT_S_2 | what a query found, kept
SELECT "Custom SQL Query"."status" AS "X", COUNT(1) AS "Y" INTO TEMPORARY "#Tableau_1_2" FROM (select * from pgclone_jobs_view) "Custom SQL Query" GROUP BY 1
--@ TA05.5 | simple | tag=DROP_S_TABLE | gone
DROP TABLE "#Tableau_1_2"

--# ============================== Power BI and Power Query: "$Table", "rows", "_", lower case, line by line
--@ PB01 | both | rows=0 col=job_id type=23 | which columns has a query of the user's?
select *
from
(
    select * from pgclone_jobs_view
) "_"
limit 0
--@ PB02 | both | rows=2 col=job_id val=7 | preview of a table
select "$Table"."job_id" as "job_id",
    "$Table"."status" as "status",
    "$Table"."start_time" as "start_time",
    "$Table"."pct_complete" as "pct_complete"
from "public"."pgclone_jobs_view" "$Table"
order by "$Table"."job_id"
limit 4096
--@ PB03 | ext ["running"] | rows=1 col=status val=running | three wrappers, and a parameter
select "_"."status",
    "_"."a0"
from
(
    select "rows"."status" as "status",
        count(1) as "a0"
    from
    (
        select "_"."job_id", "_"."status"
        from "public"."pgclone_jobs_view" "_"
        where "_"."status" = $1 and "_"."status" is not null
    ) "rows"
    group by "status"
) "_"
where not "_"."a0" is null
limit 1000001
--@ PB04 | both | rows=2 | sort and cut outside
select "_"."job_id" as "job_id", "_"."rows_copied" as "rows_copied" from (select "$Ordered"."job_id", "$Ordered"."rows_copied" from (select * from "pgclone"."jobs_view") "$Ordered") "_" order by "_"."rows_copied" desc nulls first, "_"."job_id" limit 1000
--@ PB05.1 | simple | tag=BEGIN | a transaction
BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ
--@ PB05.2 | ext | rows=1 val=2 tx=T | reads
select count(*) from "public"."pgclone_jobs_view" "$Table"
--@ PB05.3 | simple | tag=COMMIT | end
COMMIT
--@ PB05.4 | simple | tag=DISCARD_S_ALL | what its pool does with a connection
DISCARD ALL
--@ PB05.5 | ext | rows=1 val=2 tx=I | and the next user of it
select count(*) from "public"."pgclone_jobs_view" "$Table"

--# ============================== Grafana: epochs, buckets, variables
--@ GR01 | both | rows>=1 col=time | $__timeGroupAlias and $__timeFilter
SELECT
  floor(extract(epoch from start_time)/300)*300 AS "time",
  status AS metric,
  avg(pct_complete) AS "pct_complete"
FROM pgclone_jobs_view
WHERE
  start_time BETWEEN '2000-01-01T00:00:00Z' AND '2100-01-01T00:00:00Z'
GROUP BY 1,2
ORDER BY 1,2
--@ GR02 | both | rows=2 col=status | its query builder
SELECT status, COUNT(job_id) FROM pgclone_jobs_view GROUP BY status LIMIT 50
--@ GR03 | both | rows=2 col=__text | a variable
SELECT DISTINCT status AS __text, job_id AS __value FROM pgclone_jobs_view ORDER BY 2
--@ GR04 | both | rows>=1 val=7 | regular expression variable, and the jobs of any role
SELECT job_id FROM pgclone_jobs_view WHERE status ~ '^(running|pending)$' AND schema_name IN ('sales','hr') ORDER BY start_time
--@ GR05 | both | rows=1 val=1 | annotations, alert conditions
SELECT count(*) FILTER (WHERE status = 'running') AS "running", extract(epoch from max(start_time))::bigint AS "time", coalesce(max(error_message), '') AS text FROM pgclone_jobs_view
--@ GR06 | both | rows>=1 | buckets without gaps
SELECT b AS "time", count(v.job_id) FROM generate_series(date_trunc('hour', now()) - interval '2 hours', now(), interval '1 hour') b LEFT JOIN pgclone_jobs_view v ON date_trunc('hour', v.start_time) = b GROUP BY b ORDER BY b

--# ============================== Looker: "view.field" names, positions, FETCH NEXT, symmetric aggregates
--@ LO01 | both | rows=2 col=pgclone_jobs_view.status | explore
SELECT
    pgclone_jobs_view."status" AS "pgclone_jobs_view.status",
        (DATE(pgclone_jobs_view."start_time" AT TIME ZONE 'UTC')) AS "pgclone_jobs_view.start_date",
    COUNT(*) AS "pgclone_jobs_view.count"
FROM
    "public"."pgclone_jobs_view" AS pgclone_jobs_view
GROUP BY
    1,
    2
ORDER BY
    3 DESC
FETCH NEXT 500 ROWS ONLY
--@ LO02 | both | rows=1 val=0 | a sum that a join cannot multiply
SELECT COALESCE(COALESCE(CAST( ( SUM(DISTINCT (CAST(FLOOR(COALESCE( jobs.tables_completed ,0)*(1000000*1.0)) AS DECIMAL(65,0))) + ('x' || MD5( jobs.job_id ::varchar))::bit(64)::bigint::DECIMAL(65) *18446744073709551616 + ('x' || SUBSTR(MD5( jobs.job_id ::varchar),17))::bit(64)::bigint::DECIMAL(65) ) - SUM(DISTINCT ('x' || MD5( jobs.job_id ::varchar))::bit(64)::bigint::DECIMAL(65) *18446744073709551616 + ('x' || SUBSTR(MD5( jobs.job_id ::varchar),17))::bit(64)::bigint::DECIMAL(65)) ) AS DOUBLE PRECISION) / CAST((1000000*1.0) AS DOUBLE PRECISION), 0), 0)::int AS "jobs.total" FROM public.pgclone_jobs_view AS jobs, generate_series(1, 3)
--@ LO03 | both | rows=2 col=job.status | derived table
WITH job AS (SELECT * FROM pgclone_jobs_view WHERE 1=1)
SELECT job.status AS "job.status", COUNT(DISTINCT job.job_id ) AS "job.count" FROM job WHERE (job.start_time ) >= ((SELECT TIMESTAMP WITH TIME ZONE '2000-01-01 00:00')) GROUP BY 1 ORDER BY 2 DESC LIMIT 500
--@ LO04 | both | rows=2 | pivot
SELECT * FROM (
SELECT *, DENSE_RANK() OVER (ORDER BY z___min_rank) as z___pivot_row_rank, RANK() OVER (PARTITION BY z__pivot_col_rank ORDER BY z___min_rank) as z__pivot_col_ordering FROM (
SELECT *, MIN(z___rank) OVER (PARTITION BY "jobs.op_type") as z___min_rank FROM (
SELECT *, RANK() OVER (ORDER BY "jobs.op_type" ASC, z__pivot_col_rank) AS z___rank FROM (
SELECT *, DENSE_RANK() OVER (ORDER BY CASE WHEN "jobs.status" IS NULL THEN 1 ELSE 0 END, "jobs.status") AS z__pivot_col_rank FROM (
SELECT jobs."op_type" AS "jobs.op_type", jobs."status" AS "jobs.status", COUNT(*) AS "jobs.count" FROM "public"."pgclone_jobs_view" AS jobs GROUP BY 1,2) ww
) bb WHERE z__pivot_col_rank <= 16384
) aa
) xx
) zz
 WHERE (z__pivot_col_rank <= 50 OR z__pivot_col_ordering = 1) AND (z___pivot_row_rank <= 500) ORDER BY z___pivot_row_rank

--# ============================== DBeaver, DataGrip, pgAdmin, HeidiSQL: browsing data
--@ DB01 | both | rows=2 col=job_id | DBeaver opens the view, sorted
SELECT x.* FROM public.pgclone_jobs_view x
ORDER BY x.start_time DESC
--@ DB02 | both | rows=1 val=running | DBeaver's filter
SELECT x.* FROM (SELECT status, job_id FROM public.pgclone_jobs_view) x
WHERE job_id = 7 AND status LIKE 'run%'
--@ DB03 | both | rows=2 | DBeaver groups
SELECT status, COUNT(*) FROM (SELECT * FROM public.pgclone_jobs_view) AS src GROUP BY status
--@ DB04 | both | error=42703 pos=13 | no row has an address, as in any view
SELECT t.*, t.ctid FROM public.pgclone_jobs_view t
--@ DB05 | both | rows=2 | DataGrip opens it
SELECT t.*
FROM public.pgclone_jobs_view t
LIMIT 501
--@ DB06 | both | rows=1 val=2 | DataGrip counts
SELECT COUNT(*) FROM (SELECT t.* FROM public.pgclone_jobs_view t) t
--@ DB07 | both | rows=2 | pgAdmin views the first hundred
SELECT * FROM public.pgclone_jobs_view
LIMIT 100
--@ DB08 | both | rows=1 type=114 col=QUERY_S_PLAN differs=plan | pgAdmin draws the plan
EXPLAIN (FORMAT JSON, ANALYZE FALSE, VERBOSE FALSE, COSTS FALSE, TIMING FALSE, BUFFERS FALSE, SUMMARY FALSE, SETTINGS FALSE) SELECT * FROM public.pgclone_jobs_view
--@ DB09 | both | rows=1 type=114 differs=plan | and with what it took
EXPLAIN (FORMAT JSON, ANALYZE TRUE, VERBOSE TRUE, COSTS TRUE, TIMING TRUE, BUFFERS TRUE, SUMMARY TRUE) SELECT * FROM public.pgclone_jobs_view
--@ DB10.1 | simple | tx=T tag=DECLARE_S_CURSOR | pages by cursor
BEGIN;DECLARE "CURSOR:9001" CURSOR FOR SELECT * FROM public.pgclone_jobs_view
--@ DB10.2 | both | rows=1 tag=FETCH_S_1 | page by page
FETCH FORWARD 1 FROM "CURSOR:9001"
--@ DB10.3 | simple | tx=I | end
ROLLBACK
--@ DB11 | both | rows=2 col=job_id | HeidiSQL names each column, and cuts the long ones
SELECT "job_id", "status", SUBSTRING("error_message"::TEXT FROM 1 FOR 256) AS "error_message" FROM "postgres"."public"."pgclone_jobs_view" ORDER BY "job_id" ASC LIMIT 1000

--# ============================== Redash, Mode, Hex, Looker Studio, Excel, notebooks
--@ RE01 | both | rows=2 | Redash: its remark, the user's semicolon
/* Username: a@b.c, Query ID: adhoc, Queue: queries, Job ID: 18fb, Query Hash: 6e5, Scheduled: False */ SELECT job_id, status FROM pgclone_jobs_view LIMIT 1000;
--@ RE02 | both | rows=2 | Mode: remarks on both sides
-- Returns first 100 rows from public.pgclone_jobs_view
SELECT job_id, status FROM public.pgclone_jobs_view LIMIT 100;
-- {"user":"@a","report":"pgclone_jobs_view"}
--@ RE03 | both | rows=1 val=2 | Hex: a cell on another cell
with "jobs" as (select * from pgclone_jobs_view), "cell 2" as (select status, count(*) as "n" from "jobs" group by 1) select sum("n")::int from "cell 2"
--@ RE04 | both | rows=1 col=t0.qt_a val=2 | Looker Studio
SELECT COUNT(DISTINCT "t0"."job_id") AS "t0.qt_a" FROM (SELECT * FROM pgclone_jobs_view) AS "t0" LIMIT 2000001
--@ RE05 | both | rows=2 col=job_id | Microsoft Query: catalog, schema and table, a correlation name with digits
SELECT pgclone_jobs_view_0.job_id, pgclone_jobs_view_0.status FROM postgres.public.pgclone_jobs_view pgclone_jobs_view_0
--@ RE09 | both | rows=1 val=running | the database before a column's table as well
SELECT postgres.public.pgclone_jobs_view.status FROM "postgres"."public"."pgclone_jobs_view" WHERE "postgres"."public"."pgclone_jobs_view"."job_id" = 7
--@ RE10 | both | rows=1 type=25 | and before functions
SELECT postgres.public.pgclone_version(), postgres.pgclone.progress(7)
--@ RE11 | both | error=0A000 pos=15 | in another database than the session's there is nothing of ours
SELECT * FROM elsewhere.public.pgclone_jobs_view
--@ RE12 | both | error=0A000 pos=8 | nor can a column be there
SELECT elsewhere.public.pgclone_jobs_view.status FROM public.pgclone_jobs_view
--@ RE06.1 | simple | tag=PREPARE | prepared in SQL
PREPARE jobs_of (text, int) AS SELECT job_id FROM (SELECT * FROM pgclone_jobs_view) q WHERE status = $1 LIMIT $2
--@ RE06.2 | simple | rows=1 val=7 | used
EXECUTE jobs_of('running', 10)
--@ RE06.3 | simple | rows>=1 col=QUERY_S_PLAN differs=plan | explained
EXPLAIN EXECUTE jobs_of('running', 10)
--@ RE06.4 | simple | tag=DEALLOCATE | given back
DEALLOCATE jobs_of
--@ RE07.1 | simple | tag=DECLARE_S_CURSOR tx=T | notebooks: a named cursor of the driver
BEGIN; DECLARE "named" CURSOR WITHOUT HOLD FOR SELECT status, count(*) OVER () FROM pgclone_jobs_view ORDER BY 1
--@ RE07.2 | simple | rows=2 val=completed | all of it
FETCH FORWARD 2000 FROM "named"
--@ RE07.3 | simple | tx=I | end
CLOSE "named"; COMMIT
--@ RE08 | both | rows=3 tag=COPY_S_2 | an export
COPY (SELECT job_id, status, progress_bar FROM pgclone_jobs_view) TO STDOUT WITH (FORMAT csv, HEADER true)
