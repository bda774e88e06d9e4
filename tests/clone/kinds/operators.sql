-- Operators, operator classes and families.
CREATE SCHEMA operators; SET search_path = operators;
CREATE FUNCTION lt(a text, b text) RETURNS boolean IMMUTABLE STRICT LANGUAGE sql AS 'SELECT length(a) < length(b)';
CREATE FUNCTION gt(a text, b text) RETURNS boolean IMMUTABLE STRICT LANGUAGE sql AS 'SELECT length(a) > length(b)';
CREATE FUNCTION eq(a text, b text) RETURNS boolean IMMUTABLE STRICT LANGUAGE sql AS 'SELECT length(a) = length(b)';
CREATE FUNCTION cmp(a text, b text) RETURNS int IMMUTABLE STRICT LANGUAGE sql AS 'SELECT sign(length(a) - length(b))::int';
CREATE OPERATOR <# (LEFTARG = text, RIGHTARG = text, FUNCTION = lt, COMMUTATOR = ># , RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
CREATE OPERATOR ># (LEFTARG = text, RIGHTARG = text, FUNCTION = gt, COMMUTATOR = <#);
CREATE OPERATOR =# (LEFTARG = text, RIGHTARG = text, FUNCTION = eq, COMMUTATOR = =#, HASHES, MERGES);
CREATE OPERATOR !# (RIGHTARG = text, FUNCTION = upper);
CREATE OPERATOR FAMILY by_length USING btree;
CREATE OPERATOR CLASS by_length FOR TYPE text USING btree FAMILY by_length AS OPERATOR 1 <#, OPERATOR 3 =#, OPERATOR 5 >#, FUNCTION 1 cmp(text, text);
CREATE OPERATOR FAMILY loose USING hash; ALTER OPERATOR FAMILY loose USING hash ADD OPERATOR 1 =# (text, text);
CREATE OPERATOR CLASS plain FOR TYPE int USING gist AS OPERATOR 3 &&(anyarray, anyarray), STORAGE int;
DROP OPERATOR CLASS plain USING gist;
CREATE TABLE t (v text); INSERT INTO t SELECT repeat('x', i) FROM generate_series(1, 30) i; CREATE INDEX by_class ON t (v by_length);
CREATE VIEW uses AS SELECT * FROM t WHERE v OPERATOR(operators.<#) 'four' AND OPERATOR(operators.!#) v = v;
COMMENT ON OPERATOR <# (text, text) IS 'shorter'; COMMENT ON OPERATOR FAMILY loose USING hash IS 'one operator'; COMMENT ON OPERATOR CLASS by_length USING btree IS 'a class';
