-- The tables of a schema, or of all schemas but the system's, that hold rows of their own or of their partitions.
-- $1 the schema or NULL.  psql: \bind 'sales' \g
SELECT n.nspname, c.relname, c.relkind
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
  AND CASE WHEN $1::text IS NULL THEN n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ELSE n.nspname = $1 END
ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C";
