-- The subscriptions of this database.  psql: \g
SELECT s.subname AS name
FROM pg_catalog.pg_subscription s
JOIN pg_catalog.pg_database d ON d.oid = s.subdbid
WHERE d.datname = current_database()
ORDER BY s.subname;
