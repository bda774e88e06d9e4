-- What tables have from those that they inherit from, as CREATE TABLE would say it: columns, then CHECK constraints.
-- $1 schemas, $2 tables, pairwise.  psql: \bind '{sales}' '{orders_archive}' \g
WITH wanted AS (
    SELECT n.nspname AS schema, c.relname AS "table", c.oid
    FROM unnest($1::text[], $2::text[]) AS given(schema, name)
    JOIN pg_catalog.pg_namespace n ON n.nspname = given.schema
    JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = given.name
    WHERE NOT c.relispartition
)
SELECT w.schema, w."table", a.attname AS name,
       pg_catalog.format('%I %s', a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod))
       || CASE WHEN a.attcollation <> t.typcollation AND a.attcollation <> 0
               THEN (SELECT pg_catalog.format(' COLLATE %I.%I', n.nspname, o.collname)
                     FROM pg_catalog.pg_collation o JOIN pg_catalog.pg_namespace n ON n.oid = o.collnamespace
                     WHERE o.oid = a.attcollation)
               ELSE '' END
       || CASE WHEN d.adbin IS NULL THEN ''
               WHEN a.attgenerated = 's' THEN ' GENERATED ALWAYS AS (' || pg_catalog.pg_get_expr(d.adbin, a.attrelid) || ') STORED'
               WHEN a.attgenerated <> '' THEN ' GENERATED ALWAYS AS (' || pg_catalog.pg_get_expr(d.adbin, a.attrelid) || ')'
               ELSE ' DEFAULT ' || pg_catalog.pg_get_expr(d.adbin, a.attrelid) END
       || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END AS definition,
       a.attnum AS position
FROM wanted w
JOIN pg_catalog.pg_attribute a ON a.attrelid = w.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attinhcount > 0
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = w.oid AND d.adnum = a.attnum
UNION ALL
SELECT w.schema, w."table", '', pg_catalog.format('CONSTRAINT %I %s', k.conname, pg_catalog.pg_get_constraintdef(k.oid)), 32767
FROM pg_catalog.pg_constraint k
JOIN wanted w ON w.oid = k.conrelid
WHERE k.contype = 'c' AND NOT k.conislocal
ORDER BY 1, 2, position, definition;
