-- The materialized views of some schemas, whether they hold rows, and which other materialized views of these schemas
-- each reads, directly or through other views.
-- $1 array of schemas.  psql: \bind '{sales}' \g
WITH RECURSIVE reads AS (
    SELECT r.ev_class AS reader, d.refobjid AS read
    FROM pg_catalog.pg_rewrite r
    JOIN pg_catalog.pg_depend d
      ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = r.oid
     AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid <> r.ev_class
), closure AS (
    SELECT reader, read FROM reads
    UNION
    SELECT c.reader, r.read FROM closure c JOIN reads r ON r.reader = c.read
)
SELECT n.nspname AS schema,
       m.relname AS name,
       m.relispopulated AS populated,
       (SELECT coalesce(json_agg(json_build_object('schema', p.nspname, 'name', o.relname)), '[]')
        FROM closure c
        JOIN pg_catalog.pg_class o ON o.oid = c.read
        JOIN pg_catalog.pg_namespace p ON p.oid = o.relnamespace
        WHERE c.reader = m.oid AND c.read <> m.oid AND o.relkind = 'm' AND p.nspname = ANY ($1::text[])) AS reads
FROM pg_catalog.pg_class m
JOIN pg_catalog.pg_namespace n ON n.oid = m.relnamespace
WHERE m.relkind = 'm' AND n.nspname = ANY ($1::text[])
ORDER BY n.nspname, m.relname;
