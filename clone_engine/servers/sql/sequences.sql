-- The sequences of some schemas, with the table that owns each (serial and identity columns), if any, or the extension
-- that says that its value is to be kept.
-- $1 array of schemas.  psql: \bind '{sales}' \g
SELECT n.nspname AS schema,
       c.relname AS name,
       tn.nspname AS table_schema,
       t.relname AS table_name,
       ta.attname AS column_name,
       coalesce(x.extname, '') AS extension,
       c.relpersistence = 'u' AS unlogged
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_depend d
       ON d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0
      AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
LEFT JOIN pg_catalog.pg_class t ON t.oid = d.refobjid
LEFT JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
LEFT JOIN pg_catalog.pg_extension x ON c.oid = ANY (x.extconfig)
LEFT JOIN pg_catalog.pg_attribute ta ON ta.attrelid = d.refobjid AND ta.attnum = d.refobjsubid
WHERE c.relkind = 'S'
  AND n.nspname = ANY ($1::text[])
  AND (x.oid IS NOT NULL
       OR NOT EXISTS (SELECT FROM pg_catalog.pg_depend e
                      WHERE e.classid = 'pg_catalog.pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e'))
ORDER BY n.nspname, c.relname;
