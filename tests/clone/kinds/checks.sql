-- Check constraints: with functions, not inherited, not valid; and NOT NULL.
CREATE SCHEMA checks; SET search_path = checks;
CREATE FUNCTION good(i int) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN i <> 13; END';
CREATE TABLE t (a int NOT NULL, b int, CONSTRAINT "by function" CHECK (good(a)), CHECK (a < 1000 OR b IS NULL), CONSTRAINT mine CHECK (b > 0) NO INHERIT);
COMMENT ON CONSTRAINT mine ON t IS 'not of children';
INSERT INTO t SELECT i, i FROM generate_series(20, 40) i;
INSERT INTO t VALUES (-1, 1);
ALTER TABLE t ADD CONSTRAINT not_yet CHECK (a > 0) NOT VALID;
COMMENT ON CONSTRAINT not_yet ON t IS 'some day';
