--# Names prepared in SQL, and given back: what DEALLOCATE and DISCARD leave.  Format: see interception.sql.
--@ D1.1 | simple | tag=PREPARE | ours
PREPARE p AS SELECT count(*) FROM pgclone_jobs_view
--@ D1.2 | simple | rows=1 val=2 | fresh data at every use
EXECUTE p
--@ D1.3 | simple | tag=DEALLOCATE | given back
DEALLOCATE p
--@ D1.4 | simple | tag=PREPARE | the user's own
PREPARE p AS SELECT 5
--@ D1.5 | simple | rows=1 val=5 | and untouched
EXECUTE p
--@ D2.1 | simple | tag=PREPARE | ours
PREPARE p AS SELECT count(*) FROM pgclone_jobs_view
--@ D2.2 | ext | tag=DISCARD_S_ALL | everything given back
DISCARD ALL
--@ D2.3 | simple | tag=PREPARE | the user's own
PREPARE p AS SELECT 5
--@ D2.4 | both | rows=1 val=5 | and untouched
EXECUTE p
--@ D3.1 | simple | tag=PREPARE | ours
PREPARE p AS SELECT count(*) FROM pgclone_jobs_view
--@ D3.2 | simple | tag=DEALLOCATE | used and given back in one string
EXECUTE p; DEALLOCATE p
--@ D3.3 | simple | tag=PREPARE | the user's own
PREPARE p AS SELECT 5
--@ D3.4 | simple | rows=1 val=5 | and untouched
EXECUTE p
--@ D4.1 | ext | rows=1 jobs=+1 tx=I | an action by itself leaves no transaction behind
SELECT pgclone_schema_async('c', 'x')
--@ D4.2 | both | error=42703 tx=I | nor does a failing read
SELECT nosuch FROM pgclone_jobs_view
--@ O1.1 | simple | tag=SELECT_S_1 | a user's own relation of the view's name
CREATE TEMP TABLE pgclone_jobs_view AS SELECT 'mine'::text AS job_id
--@ O1.2 | both | rows=1 val=mine | wins over the view
SELECT * FROM pgclone_jobs_view
--@ O1.3 | both | rows=2 type=23 | but not over its other spelling
SELECT job_id FROM pgclone.jobs_view
--@ O1.4 | simple | tag=DROP_S_TABLE | gone again
DROP TABLE pg_temp.pgclone_jobs_view
--@ O1.5 | both | rows=2 type=23 | the view again
SELECT job_id FROM pgclone_jobs_view
--@ O2.1 | simple | tag=CREATE_S_FUNCTION tx=T differs=absent | a user's own function of a name of ours
BEGIN; CREATE FUNCTION public.pgclone_version() RETURNS text LANGUAGE sql AS $$SELECT 'mine'$$
--@ O2.2 | both | rows=1 val=mine differs=absent | wins
SELECT pgclone_version()
--@ O2.3 | simple | tx=I | end
ROLLBACK
--@ O3.1 | simple | tx=T tag=BEGIN jobs=+1 | a BEGIN with options behind an action takes the implicit block over
SELECT pgclone_schema_async('c', 'x'); BEGIN READ ONLY
--@ O3.2 | simple | tx=I | end
ROLLBACK
