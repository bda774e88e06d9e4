-- The names of the target's schemas and tablespaces.
SELECT 'schema' AS kind, nspname AS name FROM pg_catalog.pg_namespace
UNION ALL
SELECT 'tablespace', spcname FROM pg_catalog.pg_tablespace;
