-- The objects of some schemas that are no relations, by kind and name; routines and operators once per name,
-- operator classes and families with their access method.  Row types and array types are left out.
-- $1 array of schemas.  psql: \bind '{sales}' \g
SELECT o.kind, n.nspname AS schema, o.name, o.method
FROM (
    SELECT 'type' AS kind, t.typnamespace AS namespace, t.typname AS name, '' AS method
    FROM pg_catalog.pg_type t LEFT JOIN pg_catalog.pg_class c ON c.oid = t.typrelid
    WHERE t.typtype IN ('b', 'd', 'e', 'r', 'm') AND t.typelem = 0 OR c.relkind = 'c' OR NOT t.typisdefined
    UNION SELECT 'routine', pronamespace, proname, '' FROM pg_catalog.pg_proc
    UNION SELECT 'operator', oprnamespace, oprname, '' FROM pg_catalog.pg_operator
    UNION ALL SELECT 'collation', collnamespace, collname, '' FROM pg_catalog.pg_collation
    UNION ALL SELECT 'conversion', connamespace, conname, '' FROM pg_catalog.pg_conversion
    UNION ALL SELECT 'text search parser', prsnamespace, prsname, '' FROM pg_catalog.pg_ts_parser
    UNION ALL SELECT 'text search dictionary', dictnamespace, dictname, '' FROM pg_catalog.pg_ts_dict
    UNION ALL SELECT 'text search template', tmplnamespace, tmplname, '' FROM pg_catalog.pg_ts_template
    UNION ALL SELECT 'text search configuration', cfgnamespace, cfgname, '' FROM pg_catalog.pg_ts_config
    UNION ALL
    SELECT 'operator class', c.opcnamespace, c.opcname, a.amname
    FROM pg_catalog.pg_opclass c JOIN pg_catalog.pg_am a ON a.oid = c.opcmethod
    UNION ALL
    SELECT 'operator family', f.opfnamespace, f.opfname, a.amname
    FROM pg_catalog.pg_opfamily f JOIN pg_catalog.pg_am a ON a.oid = f.opfmethod
) AS o
JOIN pg_catalog.pg_namespace n ON n.oid = o.namespace
WHERE n.nspname = ANY ($1::text[])
ORDER BY o.kind, n.nspname, o.name;
