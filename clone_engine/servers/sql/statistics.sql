-- The extended statistics of a table and of its partitions, as the statements that make them.  pg_dump leaves them out
-- when it dumps single tables.
-- $1 schemas, $2 tables, pairwise.  psql: \bind '{sales}' '{orders}' \g
SELECT pg_catalog.pg_get_statisticsobjdef(s.oid) AS definition,
       pg_catalog.format('ALTER STATISTICS %I.%I SET STATISTICS %s', sn.nspname, s.stxname,
                         nullif(s.stxstattarget, -1)) AS target,
       pg_catalog.format('COMMENT ON STATISTICS %I.%I IS %L', sn.nspname, s.stxname, d.description) AS comment,
       s.stxstattarget IS NOT NULL AND s.stxstattarget <> -1 AS has_target,
       d.description IS NOT NULL AS has_comment
FROM unnest($1::text[], $2::text[]) AS wanted(schema, name)
JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.schema
JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name
JOIN pg_catalog.pg_statistic_ext s ON s.stxrelid = c.oid
JOIN pg_catalog.pg_namespace sn ON sn.oid = s.stxnamespace
LEFT JOIN pg_catalog.pg_description d ON d.classoid = 'pg_catalog.pg_statistic_ext'::regclass AND d.objoid = s.oid
ORDER BY sn.nspname, s.stxname;
