-- How far the index builds of some server processes are: from 0 to 1.  They first read the table (blocks), and some
-- access methods then load the index (tuples).
-- $1 array of process ids.  psql: \bind '{1234}' \g
SELECT p.pid,
       CASE WHEN p.tuples_total > 0 THEN 0.5 + 0.5 * least(1.0, p.tuples_done::float8 / p.tuples_total)
            WHEN p.blocks_total > 0 THEN 0.5 * least(1.0, p.blocks_done::float8 / p.blocks_total)
            ELSE 0.0 END AS share
FROM pg_catalog.pg_stat_progress_create_index p
WHERE p.pid = ANY ($1::integer[]);
