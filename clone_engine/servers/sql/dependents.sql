-- Everything on the target that depends on some tables and views, however indirectly, and how far away: what would
-- stop them from being dropped.  A view's own rule stands for the view, a row type for its table.  `relation` is the
-- view itself, or the table of a rule or a policy.
-- $1 array of schemas, $2 array of relation names, pairwise.  psql: \bind '{sales}' '{orders}' \g
WITH RECURSIVE edges AS (
    SELECT CASE WHEN r.rulename = '_RETURN' THEN 'pg_catalog.pg_class'::regclass::oid ELSE d.classid END AS classid,
           CASE WHEN r.rulename = '_RETURN' THEN r.ev_class ELSE d.objid END AS objid,
           CASE WHEN coalesce(e.typrelid, t.typrelid, 0) <> 0 THEN 'pg_catalog.pg_class'::regclass::oid
                ELSE d.refclassid END AS refclassid,
           CASE WHEN coalesce(e.typrelid, t.typrelid, 0) <> 0 THEN coalesce(e.typrelid, t.typrelid)
                ELSE d.refobjid END AS refobjid,
           coalesce(r.ev_class, p.polrelid) AS relation
    FROM pg_catalog.pg_depend d
    LEFT JOIN pg_catalog.pg_rewrite r ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND r.oid = d.objid
    LEFT JOIN pg_catalog.pg_policy p ON d.classid = 'pg_catalog.pg_policy'::regclass AND p.oid = d.objid
    LEFT JOIN pg_catalog.pg_type t ON d.refclassid = 'pg_catalog.pg_type'::regclass AND t.oid = d.refobjid
    LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND e.typarray = t.oid
    WHERE d.deptype = 'n'
      AND d.classid IN ('pg_catalog.pg_rewrite'::regclass, 'pg_catalog.pg_proc'::regclass,
                        'pg_catalog.pg_operator'::regclass, 'pg_catalog.pg_policy'::regclass)
), found AS (
    SELECT 'pg_catalog.pg_class'::regclass::oid AS classid, c.oid AS objid, c.oid AS relation, 0 AS distance
    FROM unnest($1::text[], $2::text[]) AS wanted(schema, name)
    JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.schema
    JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name
    UNION
    SELECT e.classid, e.objid, e.relation, f.distance + 1
    FROM found f
    JOIN edges e ON e.refclassid = f.classid AND e.refobjid = f.objid
    WHERE (e.classid, e.objid) <> (f.classid, f.objid) AND f.distance < 60
)
SELECT i.type AS kind, i.identity, f.objid::bigint AS oid, n.nspname AS schema, c.relname AS relation,
       max(f.distance) AS distance
FROM found f
CROSS JOIN LATERAL pg_catalog.pg_identify_object(f.classid, f.objid, 0) i
LEFT JOIN pg_catalog.pg_class c ON c.oid = f.relation
LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
GROUP BY 1, 2, 3, 4, 5
ORDER BY max(f.distance) DESC, i.identity;
