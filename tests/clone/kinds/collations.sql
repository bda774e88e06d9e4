-- Collations, and columns, indexes and domains that use them.
CREATE SCHEMA collations; SET search_path = collations;
CREATE COLLATION plain (locale = 'C');
CREATE COLLATION like_it FROM plain;
COMMENT ON COLLATION plain IS 'by bytes'; ALTER COLLATION plain OWNER TO kinds_owner;
CREATE DOMAIN word AS text COLLATE plain;
CREATE TABLE t (a text COLLATE plain, b text COLLATE like_it UNIQUE, w word);
CREATE INDEX by_c ON t (b COLLATE plain, a COLLATE "POSIX" DESC);
INSERT INTO t VALUES ('a', 'B', 'W'), ('b', 'c', 'w');
