-- The foreign keys by which other tables of the target refer to some tables, as ADD CONSTRAINT would say them.
-- $1 schemas, $2 tables, pairwise.  psql: \bind '{sales}' '{orders}' \g
WITH wanted AS (
    SELECT c.oid
    FROM unnest($1::text[], $2::text[]) AS given(schema, name)
    JOIN pg_catalog.pg_namespace n ON n.nspname = given.schema
    JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = given.name
)
SELECT n.nspname AS schema, c.relname AS "table", k.conname AS name,
       pg_catalog.pg_get_constraintdef(k.oid) AS definition,
       pg_catalog.obj_description(k.oid, 'pg_constraint') AS comment
FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE k.contype = 'f' AND k.conparentid = 0
  AND k.confrelid IN (SELECT oid FROM wanted) AND k.conrelid NOT IN (SELECT oid FROM wanted)
ORDER BY n.nspname, c.relname, k.conname;
