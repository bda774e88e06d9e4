-- The tables to clone, with their size at this moment and their columns.
-- $1 array of schemas, $2 table or '' for all of the schemas.  psql: \bind '{sales}' '' \g
-- Tables that belong to an extension are left to it, but for those whose rows pg_dump would take: the extension has said
-- so, and which rows.  Partitions of one wanted table come with it, wherever they are.
WITH RECURSIVE wanted AS (
    SELECT c.oid
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = ANY ($1::text[])
      AND ($2::text = '' OR c.relname = $2::text)
      AND c.relkind IN ('r', 'p', 'f')
      AND (NOT EXISTS (SELECT FROM pg_catalog.pg_depend e
                       WHERE e.classid = 'pg_catalog.pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
           OR $2::text = '' AND EXISTS (SELECT FROM pg_catalog.pg_extension x WHERE c.oid = ANY (x.extconfig)))
    UNION
    SELECT c.oid
    FROM wanted w
    JOIN pg_catalog.pg_inherits i ON i.inhparent = w.oid
    JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
    WHERE c.relispartition AND $2::text <> ''
)
SELECT n.nspname AS schema,
       c.relname AS name,
       c.relkind::text AS relkind,
       CASE WHEN c.relkind = 'r' THEN pg_catalog.pg_table_size(c.oid) ELSE 0 END AS bytes,
       CASE WHEN c.relkind = 'r'
            THEN pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::bigint
            ELSE 0 END AS pages,
       -- As the planner does: the density at the last VACUUM or ANALYZE, and the size of now.
       CASE WHEN c.relkind <> 'r' OR pg_catalog.pg_relation_size(c.oid) = 0 THEN 0
            WHEN c.reltuples >= 0 AND c.relpages > 0
            THEN round(c.reltuples::float8 / c.relpages * pg_catalog.pg_relation_size(c.oid)
                       / pg_catalog.current_setting('block_size')::bigint)::bigint
       END AS rows,
       coalesce(a.amname, '') AS access_method,
       c.relfilenode::bigint AS file,
       c.relpersistence = 'u' AS unlogged,
       -- The first transaction that had not ended when the snapshot was taken.
       pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot())::text::bigint AS horizon,
       CASE WHEN c.relispartition THEN pn.nspname END AS parent_schema,
       CASE WHEN c.relispartition THEN p.relname END AS parent_name,
       coalesce(x.extname, '') AS extension,
       coalesce(x.extcondition[pg_catalog.array_position(x.extconfig, c.oid)], '') AS condition,
       (SELECT coalesce(json_agg(json_build_object('name', t.attname, 'generated', t.attgenerated <> '',
                                                   'type', t.attnum || ' ' || t.atttypid || ' ' || t.atttypmod,
                                                   'enum', EXISTS (SELECT FROM pg_catalog.pg_type e
                                                                   WHERE e.oid = t.atttypid AND e.typtype = 'e'))
                                 ORDER BY t.attnum), '[]')
        FROM pg_catalog.pg_attribute t
        WHERE t.attrelid = c.oid AND t.attnum > 0 AND NOT t.attisdropped) AS columns
FROM wanted w
JOIN pg_catalog.pg_class c ON c.oid = w.oid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_extension x ON c.oid = ANY (x.extconfig)
LEFT JOIN pg_catalog.pg_am a ON a.oid = c.relam
LEFT JOIN pg_catalog.pg_inherits i ON i.inhrelid = c.oid AND c.relispartition
LEFT JOIN pg_catalog.pg_class p ON p.oid = i.inhparent
LEFT JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
ORDER BY n.nspname, c.relname;
