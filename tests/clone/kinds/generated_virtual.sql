-- Minimum version: 18.  Generated columns that are computed when they are read.
CREATE SCHEMA generated_virtual; SET search_path = generated_virtual;
CREATE TABLE t (a int, b int GENERATED ALWAYS AS (a * 2) VIRTUAL, c text GENERATED ALWAYS AS ('x' || a) STORED);
INSERT INTO t SELECT i FROM generate_series(1, 20) i;
