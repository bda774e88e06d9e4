-- Range types with their multiranges.
CREATE SCHEMA ranges; SET search_path = ranges;
CREATE FUNCTION distance(text, text) RETURNS float8 IMMUTABLE LANGUAGE sql AS 'SELECT (length($2) - length($1))::float8';
CREATE TYPE span AS RANGE (subtype = float8, subtype_diff = float8mi, multirange_type_name = spans);
CREATE TYPE words AS RANGE (subtype = text, subtype_opclass = text_pattern_ops, collation = "C", subtype_diff = distance);
COMMENT ON TYPE span IS 'of numbers';
CREATE TABLE t (s span, m spans, w words, d datemultirange);
CREATE INDEX ON t USING gist (s);
INSERT INTO t VALUES ('[1,2.5)', '{[1,2),(3,4]}', '[a,"b c")', '{[2020-01-01,2021-01-01)}'), ('empty', '{}', '(,)', NULL);
