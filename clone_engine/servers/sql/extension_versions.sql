-- The extensions of the current database, with their versions.  psql: \g
SELECT extname::text AS name, extversion AS version FROM pg_catalog.pg_extension ORDER BY extname;
