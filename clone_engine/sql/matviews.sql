-- The materialized views of a schema, whether they hold rows, and which materialized views of the same schema each
-- reads, directly or through other views.
-- $1 schema.  psql: \bind sales \g
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
SELECT m.relname AS name,
       m.relispopulated AS populated,
       ARRAY(SELECT DISTINCT o.relname::text
             FROM closure c
             JOIN pg_catalog.pg_class o ON o.oid = c.read
             WHERE c.reader = m.oid AND o.relkind = 'm' AND o.relnamespace = m.relnamespace
             ORDER BY 1) AS reads
FROM pg_catalog.pg_class m
JOIN pg_catalog.pg_namespace n ON n.oid = m.relnamespace
WHERE m.relkind = 'm' AND n.nspname = $1::text
ORDER BY m.relname;
