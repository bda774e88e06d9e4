-- Removes the replies that connections of this role have left behind when they were cut.
-- $1 the numbers of those that are still wanted.  psql: \bind '{}' \g
SELECT pg_catalog.lo_unlink(m.oid)
FROM pg_catalog.pg_description d
JOIN pg_catalog.pg_largeobject_metadata m ON m.oid = d.objoid
JOIN pg_catalog.pg_roles r ON r.oid = m.lomowner
WHERE d.classoid = 'pg_catalog.pg_largeobject'::pg_catalog.regclass
  AND d.description LIKE 'pgclone-proxy reply by %'
  AND r.rolname = current_user
  AND m.oid <> ALL ($1::bigint[])
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity a
                  WHERE d.description = 'pgclone-proxy reply by ' || a.pid::text);
