-- Domains: of domains, arrays and composites; with checks that are proved or not.
CREATE SCHEMA domains; SET search_path = domains;
CREATE DOMAIN positive AS int DEFAULT 1 CHECK (VALUE > 0);
CREATE DOMAIN evens AS positive CONSTRAINT is_even CHECK (VALUE % 2 = 0);
CREATE DOMAIN needed AS text COLLATE "C" NOT NULL DEFAULT 'x';
CREATE DOMAIN listed AS int[] CHECK (array_length(VALUE, 1) < 5);
CREATE TYPE pair AS (a int, b text);
CREATE DOMAIN good_pair AS pair CHECK ((VALUE).a > 0);
COMMENT ON DOMAIN positive IS 'above zero';
COMMENT ON CONSTRAINT is_even ON DOMAIN evens IS 'no odd ones';
CREATE TABLE t (id serial PRIMARY KEY, e evens, n needed, l listed, p good_pair);
INSERT INTO t (e, n, l, p) VALUES (2, 'a', '{1,2}', ROW(1, 'b')), (NULL, '', NULL, NULL);
ALTER DOMAIN positive ADD CONSTRAINT below CHECK (VALUE < 2) NOT VALID;
