-- What the target gives with new objects of ours, beside or instead of what PostgreSQL does: kinds of objects as
-- pg_default_acl has them, each with whom it is given to, quoted.  psql: \g
SELECT d.defaclobjtype::text AS kind,
    array_agg(DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(r.rolname) END)
        FILTER (WHERE a.grantee = 0 OR r.oid <> d.defaclrole) AS grantees
FROM pg_catalog.pg_default_acl d
JOIN pg_catalog.pg_roles me ON me.oid = d.defaclrole AND me.rolname = current_user
LEFT JOIN LATERAL pg_catalog.aclexplode(d.defaclacl) a ON true
LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
GROUP BY d.defaclobjtype;
