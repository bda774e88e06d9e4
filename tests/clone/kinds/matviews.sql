-- Materialized views: in chains, with indexes, options and statistics; filled or not.
CREATE SCHEMA matviews; SET search_path = matviews;
CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t SELECT i, i % 7 FROM generate_series(1, 70) i;
CREATE MATERIALIZED VIEW z_totals WITH (fillfactor = 80, autovacuum_enabled = false) AS SELECT v, count(*) AS n FROM t GROUP BY v;
CREATE UNIQUE INDEX z_key ON z_totals (v); CREATE INDEX z_partial ON z_totals (n) WHERE n > 3; ALTER MATERIALIZED VIEW z_totals CLUSTER ON z_key;
CREATE VIEW between AS SELECT v, n FROM z_totals WHERE n > 1;
CREATE MATERIALIZED VIEW a_top AS SELECT * FROM between ORDER BY v LIMIT 3;
CREATE MATERIALIZED VIEW never AS SELECT * FROM t WITH NO DATA; CREATE INDEX ON never (v);
CREATE MATERIALIZED VIEW a_of_never AS SELECT count(*) FROM never WITH NO DATA;
ALTER MATERIALIZED VIEW a_top ALTER COLUMN n SET STATISTICS 77; COMMENT ON MATERIALIZED VIEW a_top IS 'of a view of one'; GRANT SELECT ON a_top TO kinds_reader;
