-- Whether a schema exists, and which kind of relation a name in it is.
-- $1 schema, $2 relation ('' finds none).  psql: \bind sales orders \g
SELECT n.nspname IS NOT NULL AS schema_exists,
       c.relkind::text AS relkind
FROM (VALUES (1)) AS one(row)
LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = $1::text
LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = $2::text;
