-- Extended statistics.
CREATE SCHEMA statistics; SET search_path = statistics;
CREATE TABLE t (a int, b int, c text); INSERT INTO t SELECT i % 3, i % 5, 'c' FROM generate_series(1, 100) i;
CREATE STATISTICS every ON a, b FROM t; CREATE STATISTICS "some" (dependencies, ndistinct) ON a, c FROM t; CREATE STATISTICS expressions (mcv) ON a, (b + 1), lower(c) FROM t;
CREATE STATISTICS one_expression ON (a * 2) FROM t; ALTER STATISTICS "some" SET STATISTICS 300; COMMENT ON STATISTICS "some" IS 'extended'; ALTER STATISTICS every OWNER TO kinds_owner;
ALTER STATISTICS every OWNER TO postgres;
