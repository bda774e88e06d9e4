-- The schemas that users made: those that a clone of the whole database takes in.
-- Names that begin with pg_ are PostgreSQL's own; it refuses them to users.  psql: \g
SELECT n.nspname AS name
FROM pg_catalog.pg_namespace n
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY n.nspname;
