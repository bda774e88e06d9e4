-- Who holds locks on relations of a schema, those first that have done so longest.
-- $1 the schema, '' for every one; $2 the application_name of sessions that do not count.
-- What others do is shown to those who may see it: then `application` is null.
SELECT a.pid, a.usename, a.application_name AS application, a.state,
       min(pg_catalog.format('%I.%I', n.nspname, r.relname)) AS relation
FROM pg_catalog.pg_locks l
JOIN pg_catalog.pg_class r ON r.oid = l.relation AND r.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
WHERE l.granted
  AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
  AND a.application_name IS DISTINCT FROM $2::text
  AND CASE $1::text WHEN '' THEN n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
                    ELSE n.nspname = $1::text END
GROUP BY a.pid, a.usename, a.application_name, a.state, a.xact_start
ORDER BY a.xact_start
LIMIT 3;
