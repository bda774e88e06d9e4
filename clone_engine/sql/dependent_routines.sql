-- Routines of the target that depend on some tables or views, or on their row types, with their input types: the ones
-- that would stop these from being dropped.
-- $1 array of schemas, $2 array of relation names, pairwise.  psql: \bind '{sales}' '{orders}' \g
WITH relations AS (
    SELECT c.oid, c.reltype, t.typarray
    FROM unnest($1::text[], $2::text[]) AS wanted(schema, name)
    JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.schema
    JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name
    LEFT JOIN pg_catalog.pg_type t ON t.oid = c.reltype
)
SELECT DISTINCT pn.nspname AS schema, p.proname AS name,
       p.prokind::text AS prokind,
       pg_catalog.pg_get_function_identity_arguments(p.oid) AS arguments,
       p.oid::bigint AS oid
FROM pg_catalog.pg_depend d
JOIN pg_catalog.pg_proc p ON p.oid = d.objid
JOIN pg_catalog.pg_namespace pn ON pn.oid = p.pronamespace
JOIN relations r ON (d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = r.oid)
                 OR (d.refclassid = 'pg_catalog.pg_type'::regclass AND d.refobjid IN (r.reltype, r.typarray))
WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.deptype = 'n'
ORDER BY 1, 2, 4;
