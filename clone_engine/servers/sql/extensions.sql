-- The extensions that the objects of a schema need (a column type, a default's function, an index's operator class),
-- and those installed into the schema itself.
-- $1 schema.  psql: \bind sales \g
WITH schema AS (
    SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = $1::text
), ours(classid, objid) AS (
    SELECT 'pg_catalog.pg_class'::regclass, c.oid FROM pg_catalog.pg_class c, schema s WHERE c.relnamespace = s.oid
    UNION ALL
    SELECT 'pg_catalog.pg_type'::regclass, t.oid FROM pg_catalog.pg_type t, schema s WHERE t.typnamespace = s.oid
    UNION ALL
    SELECT 'pg_catalog.pg_proc'::regclass, p.oid FROM pg_catalog.pg_proc p, schema s WHERE p.pronamespace = s.oid
    UNION ALL
    SELECT 'pg_catalog.pg_attrdef'::regclass, d.oid
    FROM pg_catalog.pg_attrdef d JOIN pg_catalog.pg_class c ON c.oid = d.adrelid, schema s
    WHERE c.relnamespace = s.oid
    UNION ALL
    SELECT 'pg_catalog.pg_constraint'::regclass, k.oid
    FROM pg_catalog.pg_constraint k, schema s WHERE k.connamespace = s.oid
    UNION ALL
    SELECT 'pg_catalog.pg_rewrite'::regclass, r.oid
    FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_class c ON c.oid = r.ev_class, schema s
    WHERE c.relnamespace = s.oid
)
SELECT x.extname AS name
FROM pg_catalog.pg_extension x, schema s
WHERE x.extnamespace = s.oid
UNION
SELECT x.extname
FROM ours o
JOIN pg_catalog.pg_depend d ON d.classid = o.classid AND d.objid = o.objid AND d.deptype = 'n'
JOIN pg_catalog.pg_depend e ON e.classid = d.refclassid AND e.objid = d.refobjid AND e.deptype = 'e'
                           AND e.refclassid = 'pg_catalog.pg_extension'::regclass
JOIN pg_catalog.pg_extension x ON x.oid = e.refobjid
ORDER BY 1;
