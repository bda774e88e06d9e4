--# Actions that return rows or answer when they are done.
--# Format: see interception.sql.
--@ R100 | both | rows=1 col=schema_name type=25 val=schema_name jobs=+1 | an action that returns rows
SELECT * FROM pgclone_verify('c', 'sales')
--@ R101 | both | rows=1 type=16 val=t jobs=+1 | of every schema, in the other spelling
SELECT count(*) > 0 FROM pgclone.verify('c')
--@ R102 | both | rows=1 col=a type=25 val=schema_name jobs=+1 | an alias list
SELECT v.a FROM pgclone_verify('c', 'sales') AS v(a, b) ORDER BY 1
--@ R103 | both | rows=2 col=s type=25 val=a jobs=+2 | once for each row that it depends on
SELECT s, count(*) > 0 FROM (VALUES ('a'), ('b')) x(s), LATERAL pgclone_verify('c', s) GROUP BY s ORDER BY s
--@ R104 | both | rows=0 type=23 | where nothing asks for it
SELECT 1 FROM pgclone_verify('c', 'sales') WHERE false
--@ R105 | both | error=0A000 pos=8 differs=refused | in the select list
SELECT pgclone_verify('c', 'sales')
--@ R106 | both | error=0A000 pos=15 differs=refused | with ordinality
SELECT * FROM pgclone_verify('c', 'sales') WITH ORDINALITY
--@ R107 | both | error=08001 jobs=+1 | the one that is refused
SELECT * FROM pgclone_verify('bad', 'sales')
--@ R108 | both | error=42883 pos=15 | too many arguments
SELECT * FROM pgclone_verify('c', 'sales', 1)
--@ R109 | both | rows=0 col=schema_name type=25 | NULL
SELECT * FROM pgclone_verify('c', NULL)
--@ R110.1 | simple | tag=BEGIN tx=T | it changes nothing
BEGIN READ ONLY
--@ R110.2 | both | rows=1 val=t tx=T jobs=+1 differs=oracle | so it may be asked there
SELECT count(*) > 0 FROM pgclone_verify('c', 'sales')
--@ R110.3 | simple | tag=COMMIT tx=I differs=oracle | end
COMMIT
--@ R111 | ext ["c", "sales"] | rows=1 type=16 val=t jobs=+1 | parameters
SELECT count(*) > 0 FROM pgclone_verify($1, $2)
--@ R112 | both | rows=1 type=16 val=f jobs=+1 | whole row
SELECT v IS NULL FROM pgclone_verify('c', 'sales') v
--@ R113 | simple | tag=SELECT_S_1 jobs=+1 | CREATE TABLE AS
CREATE TEMP TABLE r113 AS SELECT * FROM pgclone_verify('c', 'sales')
--@ R114 | both | rows=1 type=16 val=t | joined with the view
SELECT count(*) >= 0 FROM pgclone_jobs_view j LEFT JOIN pgclone_verify('c', 'sales') v ON false
--@ R115 | both | rows=1 col=pgclone_functions type=25 val=OK jobs=+3 | other functions that answer when they are done
SELECT pgclone_functions('c', 's'), pgclone_database('c'), pgclone_database('c', true, '{}')
--@ R116 | both | rows=1 col=object_kind type=25 val=object_kind jobs=+1 | what became of the objects of a job
SELECT * FROM pgclone_job_objects(7)
--@ R117 | both | rows=1 col=state type=25 val=state jobs=+1 | in the other spelling, by name
SELECT state FROM pgclone.job_objects(job_id => 7)
--@ R118 | ext ["7"] | rows=1 type=20 val=1 jobs=+1 | a parameter
SELECT count(*) FROM pgclone_job_objects($1)
--@ R119 | both | rows=2 type=23 val=7 jobs=+2 | of several jobs
SELECT j.job_id FROM pgclone_jobs_view j, pgclone_job_objects(j.job_id) o WHERE j.job_id IN (7, 8) ORDER BY 1
--@ R120 | both | rows=0 col=object_kind type=25 | NULL
SELECT * FROM pgclone_job_objects(NULL)
