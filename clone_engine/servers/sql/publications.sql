-- The publications that list some of these tables by name, each with one of them.
-- $1 schemas, $2 tables, pairwise.  psql: \bind '{sales}' '{orders}' \g
SELECT p.pubname AS name, min(given.schema || '.' || given.name) AS "table"
FROM unnest($1::text[], $2::text[]) AS given(schema, name)
JOIN pg_catalog.pg_namespace n ON n.nspname = given.schema
JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = given.name
JOIN pg_catalog.pg_publication_rel r ON r.prrelid = c.oid
JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid
GROUP BY p.pubname
ORDER BY p.pubname;
