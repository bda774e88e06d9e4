-- Generated columns that are stored.
CREATE SCHEMA generated; SET search_path = generated;
CREATE FUNCTION tax(n numeric) RETURNS numeric IMMUTABLE LANGUAGE sql AS 'SELECT n * 1.19';
CREATE TABLE t (net numeric, gross numeric GENERATED ALWAYS AS (tax(net)) STORED NOT NULL, "both" text GENERATED ALWAYS AS (net::text || 'x') STORED CHECK ("both" <> ''));
CREATE UNIQUE INDEX ON t (gross);
INSERT INTO t SELECT i FROM generate_series(1, 20) i;
CREATE TABLE nothing_else (a int GENERATED ALWAYS AS (1 + 1) STORED); INSERT INTO nothing_else DEFAULT VALUES;
