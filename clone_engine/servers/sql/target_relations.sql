-- What the target has in some schemas: relations and extended statistics (relkind X), each with the table that an index,
-- an owned sequence or a statistics object belongs to, or that a partition is part of.
-- $1 array of schemas.  psql: \bind '{sales}' \g
SELECT n.nspname AS schema,
       c.relname AS name,
       c.relkind::text AS relkind,
       tn.nspname AS table_schema,
       t.relname AS table_name
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
LEFT JOIN pg_catalog.pg_depend d
       ON c.relkind = 'S' AND d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid
      AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
LEFT JOIN pg_catalog.pg_inherits h ON h.inhrelid = c.oid AND c.relispartition AND c.relkind IN ('r', 'p', 'f')
LEFT JOIN pg_catalog.pg_class t ON t.oid = coalesce(i.indrelid, d.refobjid, h.inhparent)
LEFT JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
WHERE n.nspname = ANY ($1::text[]) AND c.relkind <> 't'
UNION ALL
SELECT n.nspname, s.stxname, 'X', tn.nspname, t.relname
FROM pg_catalog.pg_statistic_ext s
JOIN pg_catalog.pg_namespace n ON n.oid = s.stxnamespace
JOIN pg_catalog.pg_class t ON t.oid = s.stxrelid
JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
WHERE n.nspname = ANY ($1::text[])
ORDER BY 1, 2;
