-- What a job waits for that one session holds, directly or through others that wait for it.
-- $1 the application_name of the job's sessions, $2 the process id of the other session's backend;
-- $3 the process ids of backends that may be another server's, and $4 the application_name that they have then.
WITH RECURSIVE chain AS (
    SELECT a.pid AS waiting, b.pid AS holding
    FROM pg_catalog.pg_stat_activity a
    CROSS JOIN LATERAL unnest(pg_catalog.pg_blocking_pids(a.pid)) AS b(pid)
    WHERE a.application_name = $1 OR a.pid = ANY ($3::integer[]) AND a.application_name = $4
    UNION
    SELECT c.waiting, b.pid
    FROM chain c
    CROSS JOIN LATERAL unnest(pg_catalog.pg_blocking_pids(c.holding)) AS b(pid)
)
SELECT DISTINCT CASE WHEN r.oid IS NOT NULL THEN pg_catalog.format('relation %I.%I', n.nspname, r.relname)
                     WHEN l.locktype = 'transactionid' THEN 'something that the transaction has made or changed'
                     ELSE 'a lock on ' || l.locktype END AS object
FROM chain c
JOIN pg_catalog.pg_locks l ON l.pid = c.waiting AND NOT l.granted
LEFT JOIN pg_catalog.pg_database d ON d.oid = l.database AND d.datname = pg_catalog.current_database()
LEFT JOIN pg_catalog.pg_class r ON r.oid = l.relation AND d.oid IS NOT NULL
LEFT JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
WHERE c.holding = $2::integer
ORDER BY 1;
