-- Functions and procedures: of all languages here, with every property, that need tables and that tables need.
CREATE SCHEMA functions; SET search_path = functions;
CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'x');
CREATE FUNCTION every_property(a int, b text DEFAULT 'it''s', VARIADIC c int[] DEFAULT '{}') RETURNS int LANGUAGE plpgsql
  STABLE STRICT LEAKPROOF SECURITY DEFINER PARALLEL RESTRICTED COST 7 SET search_path = functions, "Odd one" SET work_mem = '1MB' AS $body$BEGIN RETURN a; -- $$ '
END$body$;
CREATE FUNCTION rows_of() RETURNS SETOF t ROWS 5 PARALLEL SAFE LANGUAGE sql AS 'SELECT * FROM functions.t';
CREATE FUNCTION of_row(t) RETURNS text LANGUAGE sql AS 'SELECT $1.v';
CREATE FUNCTION as_table(OUT a int, INOUT b text) RETURNS SETOF record LANGUAGE sql AS 'SELECT 1, b';
CREATE FUNCTION a_table(i int) RETURNS TABLE (x int, "Y" text) LANGUAGE sql AS 'SELECT i, ''y''';
CREATE FUNCTION parsed(i int) RETURNS bigint STABLE BEGIN ATOMIC SELECT count(*) FROM t WHERE id > i; END;
CREATE FUNCTION returned() RETURNS int RETURN (SELECT max(id) FROM t);
CREATE FUNCTION highest() RETURNS int LANGUAGE sql AS 'SELECT max(id) FROM functions.t';
CREATE FUNCTION any_of(anyelement, anyarray) RETURNS anyelement IMMUTABLE LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION every_property(a text) RETURNS text LANGUAGE sql AS 'SELECT a';
CREATE FUNCTION in_window() RETURNS bigint WINDOW LANGUAGE internal AS 'window_row_number';
CREATE FUNCTION starts(text, text) RETURNS boolean IMMUTABLE STRICT LANGUAGE internal SUPPORT pg_catalog.text_starts_with_support AS 'text_starts_with';
CREATE PROCEDURE work(INOUT n int, OUT m int) LANGUAGE plpgsql AS 'BEGIN COMMIT; m := n; END';
CREATE PROCEDURE work_parsed(i int) BEGIN ATOMIC INSERT INTO t VALUES (i, 'p'); DELETE FROM t WHERE id = i; END;
CREATE TABLE needs_them (id int DEFAULT highest(), w text DEFAULT every_property('d') CHECK (starts(w, 'd')));
INSERT INTO needs_them DEFAULT VALUES;
COMMENT ON FUNCTION of_row(t) IS 'takes a row'; COMMENT ON PROCEDURE work IS 'a procedure';
REVOKE EXECUTE ON FUNCTION rows_of() FROM PUBLIC; GRANT EXECUTE ON PROCEDURE work TO kinds_reader; ALTER FUNCTION returned() OWNER TO kinds_owner;
