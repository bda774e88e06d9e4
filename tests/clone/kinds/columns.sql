-- Columns: types with modifiers, defaults, storage, compression, statistics targets, options; columns that are gone.
CREATE SCHEMA columns; SET search_path = columns;
CREATE FUNCTION code(i int) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT 'c' || i $$;
CREATE TABLE t (
    id bigserial PRIMARY KEY, gone int, n numeric(12, 2) NOT NULL DEFAULT 1.5, c char(3), v varchar(5) DEFAULT 'it''s',
    b bit varying(7), ts timestamp(3) with time zone DEFAULT '2020-01-01Z', i interval year to month,
    by_function text DEFAULT code(7), a int[][], squeezed text COMPRESSION pglz, outside text
);
ALTER TABLE t DROP COLUMN gone;
ALTER TABLE t ALTER outside SET STORAGE EXTERNAL, ALTER squeezed SET STORAGE MAIN;
ALTER TABLE t ALTER n SET STATISTICS 500, ALTER v SET (n_distinct = 5, n_distinct_inherited = -0.5);
COMMENT ON COLUMN t.n IS 'with a comment';
INSERT INTO t (n, c, v, b, a, squeezed, outside)
  SELECT i, 'x', NULLIF('v' || i, 'v3'), B'101', ARRAY[[i, 1], [2, 3]], repeat('s', 9000), repeat('o' || i, 9000) FROM generate_series(1, 30) i;
ALTER TABLE t ADD late int NOT NULL DEFAULT 42;
CREATE TABLE without_columns (); INSERT INTO without_columns DEFAULT VALUES; INSERT INTO without_columns DEFAULT VALUES;
CREATE TABLE without_rows (a int, "select" text, "Mixed Case" int);
CREATE TABLE wide AS SELECT i, repeat('w', i * 100000) AS w FROM generate_series(1, 5) i;
