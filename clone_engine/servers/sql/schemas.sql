-- The schemas that users made: those that a clone of the whole database takes in; and those that jobs made for
-- themselves where this database is a target, which it does not.
-- Names that begin with pg_ are PostgreSQL's own; it refuses them to users.  psql: \g
SELECT n.nspname AS name, n.nspname ~ '^pgclone_job_[0-9]+_[0-9a-f]{8}(_new(_[0-9]+)?)?$' AS of_job
FROM pg_catalog.pg_namespace n
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY n.nspname;
