-- Base types with functions of their own, and one of which there is only the name.
CREATE SCHEMA base_types; SET search_path = base_types;
CREATE TYPE number;
CREATE FUNCTION number_in(cstring) RETURNS number IMMUTABLE STRICT LANGUAGE internal AS 'int4in';
CREATE FUNCTION number_out(number) RETURNS cstring IMMUTABLE STRICT LANGUAGE internal AS 'int4out';
CREATE TYPE number (INPUT = number_in, OUTPUT = number_out, LIKE = int4, CATEGORY = 'N', DELIMITER = ';');
CREATE TYPE only_a_name;
COMMENT ON TYPE number IS 'an integer';
CREATE TABLE t (n number, ns number[]);
INSERT INTO t VALUES ('1', '{1;2}'), (NULL, '{}');
