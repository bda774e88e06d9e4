-- What a table has from the tables that it inherits from, as CREATE TABLE would say it: columns, then CHECK constraints.
-- $1 schema, $2 table.  psql: \bind sales orders_archive \g
SELECT a.attname AS name,
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
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attinhcount > 0
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE n.nspname = $1::text AND c.relname = $2::text AND NOT c.relispartition
UNION ALL
SELECT '', pg_catalog.format('CONSTRAINT %I %s', k.conname, pg_catalog.pg_get_constraintdef(k.oid)), 32767
FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1::text AND c.relname = $2::text AND NOT c.relispartition AND k.contype = 'c' AND NOT k.conislocal
ORDER BY position, definition;
