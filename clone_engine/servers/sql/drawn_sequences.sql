-- The sequences of some tables from which columns of other tables draw, once for each such other table.
-- $1 schemas, $2 tables, pairwise.  psql: \bind '{sales}' '{orders}' \g
SELECT DISTINCT sn.nspname AS schema, s.relname AS name, un.nspname AS user_schema, u.relname AS user_name
FROM unnest($1::text[], $2::text[]) AS given(schema, name)
JOIN pg_catalog.pg_namespace n ON n.nspname = given.schema
JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = given.name
JOIN pg_catalog.pg_depend o ON o.classid = 'pg_catalog.pg_class'::regclass AND o.deptype = 'a'
                           AND o.refclassid = 'pg_catalog.pg_class'::regclass AND o.refobjid = c.oid AND o.refobjsubid > 0
JOIN pg_catalog.pg_class s ON s.oid = o.objid AND s.relkind = 'S'
JOIN pg_catalog.pg_namespace sn ON sn.oid = s.relnamespace
JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = s.oid
                           AND d.classid = 'pg_catalog.pg_attrdef'::regclass
JOIN pg_catalog.pg_attrdef a ON a.oid = d.objid AND a.adrelid <> c.oid
JOIN pg_catalog.pg_class u ON u.oid = a.adrelid
JOIN pg_catalog.pg_namespace un ON un.oid = u.relnamespace
ORDER BY 1, 2;
