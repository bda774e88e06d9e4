-- The large objects with oids in a range, each with the statements that give it its owner, comment and privileges.
-- $1 first oid, $2 last oid.  psql: \bind 16384 99999 \g
SELECT l.oid::bigint AS oid,
       ARRAY(
           SELECT s.statement
           FROM (
               SELECT 1, 0, pg_catalog.format('ALTER LARGE OBJECT %s OWNER TO %I', l.oid, pg_catalog.pg_get_userbyid(l.lomowner))
               UNION ALL
               SELECT 2, 0, pg_catalog.format('COMMENT ON LARGE OBJECT %s IS %L', l.oid, d.description)
               FROM pg_catalog.pg_description d
               WHERE d.classoid = 'pg_catalog.pg_largeobject'::regclass AND d.objoid = l.oid
               UNION ALL
               SELECT 3, 0, pg_catalog.format('REVOKE ALL ON LARGE OBJECT %s FROM %I', l.oid, pg_catalog.pg_get_userbyid(l.lomowner))
               WHERE l.lomacl IS NOT NULL
               UNION ALL
               SELECT 4, a.ordinality, pg_catalog.format('GRANT %s ON LARGE OBJECT %s TO %s%s', a.privilege_type, l.oid,
                   CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END,
                   CASE WHEN a.is_grantable AND a.grantee <> l.lomowner THEN ' WITH GRANT OPTION' ELSE '' END)
               FROM pg_catalog.aclexplode(l.lomacl) WITH ORDINALITY a
           ) AS s(place, number, statement)
           ORDER BY s.place, s.number
       ) AS statements
FROM pg_catalog.pg_largeobject_metadata l
WHERE l.oid BETWEEN $1::bigint::oid AND $2::bigint::oid
ORDER BY l.oid;
