-- Composite types, and rows of tables as values.
CREATE SCHEMA composites; SET search_path = composites;
CREATE TYPE pair AS (a int, b text COLLATE "C");
CREATE TYPE nested AS (p pair, ps pair[], t timestamptz);
COMMENT ON TYPE pair IS 'two of them';
COMMENT ON COLUMN pair.a IS 'the first';
CREATE TABLE whole (id int PRIMARY KEY, v text);
CREATE TABLE t (n nested, w whole, ws whole[]);
CREATE TABLE typed OF pair (a WITH OPTIONS PRIMARY KEY, b DEFAULT 'none');
INSERT INTO t VALUES (ROW(ROW(1, 'x,"y"'), ARRAY[ROW(NULL, '')::pair], '2020-01-01Z'), ROW(1, 'v'), '{}'), (NULL, NULL, NULL);
INSERT INTO typed VALUES (1, 'x'), (2, DEFAULT);
