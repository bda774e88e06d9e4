-- Which objects have names of stubs, and which are marked as stubs: those to drop first come first.
-- Names in identities are quoted all, since it depends on the version which of them have to be.  search_path is empty.
-- $1 the marker, $2 the names in public, $3 those in pgclone.  psql: \bind 'pgclone-proxy stub' '{pgclone_jobs}' '{jobs}' \g
SELECT o.kind, o.identity, pg_catalog.pg_describe_object(o.classid, o.oid, 0) AS description, o.marked
FROM (
    SELECT 1 AS height, 'SCHEMA' AS kind, n.tableoid AS classid, n.oid, n.oid AS schema, NULL AS name,
           pg_catalog.quote_ident(n.nspname) AS identity,
           coalesce(pg_catalog.starts_with(pg_catalog.obj_description(n.oid, 'pg_namespace'), $1), false) AS marked
    FROM pg_catalog.pg_namespace n
    WHERE n.nspname = 'pgclone'
    UNION ALL
    SELECT 2, 'ROUTINE', p.tableoid, p.oid, p.pronamespace, p.proname,
           pg_catalog.format('%I."%s"(%s)', n.nspname, replace(p.proname, '"', '""'),
                             pg_catalog.oidvectortypes(p.proargtypes)),
           coalesce(pg_catalog.starts_with(pg_catalog.obj_description(p.oid, 'pg_proc'), $1), false)
    FROM pg_catalog.pg_proc p
    JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
    UNION ALL
    SELECT 3, 'VIEW', c.tableoid, c.oid, c.relnamespace, c.relname,
           pg_catalog.format('%I."%s"', n.nspname, replace(c.relname, '"', '""')),
           coalesce(pg_catalog.starts_with(pg_catalog.obj_description(c.oid, 'pg_class'), $1), false)
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
) o
JOIN pg_catalog.pg_namespace n ON n.oid = o.schema
WHERE n.nspname IN ('public', 'pgclone')
  AND (o.marked OR o.name IS NULL OR o.name = ANY (CASE n.nspname WHEN 'public' THEN $2::text[] ELSE $3::text[] END))
ORDER BY o.height DESC, o.name, o.identity;
