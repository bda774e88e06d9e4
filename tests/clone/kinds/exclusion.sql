-- Exclusion constraints.
CREATE SCHEMA exclusion; SET search_path = exclusion;
CREATE TABLE t (r int4range, b int, live boolean, CONSTRAINT no_overlap EXCLUDE USING gist (r WITH &&) INCLUDE (live) WHERE (live) DEFERRABLE, EXCLUDE USING hash (b WITH =));
COMMENT ON CONSTRAINT no_overlap ON t IS 'one at a time';
INSERT INTO t VALUES ('[1,5)', 1, true), ('[5,9)', 2, true), ('[1,9)', NULL, false);
