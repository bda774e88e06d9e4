-- Aggregates: ordinary, moving, parallel, of ordered sets, hypothetical.
CREATE SCHEMA aggregates; SET search_path = aggregates;
CREATE FUNCTION plus(numeric, numeric) RETURNS numeric IMMUTABLE LANGUAGE sql AS 'SELECT $1 + $2';
CREATE AGGREGATE total(numeric) (SFUNC = plus, STYPE = numeric, INITCOND = '0', SORTOP = >);
CREATE AGGREGATE total_many(VARIADIC int[]) (SFUNC = array_cat, STYPE = int[]);
CREATE AGGREGATE moving(float8) (SFUNC = float8pl, STYPE = float8, MSFUNC = float8pl, MINVFUNC = float8mi, MSTYPE = float8, PARALLEL = safe, COMBINEFUNC = float8pl);
CREATE AGGREGATE in_order(float8 ORDER BY anyelement) (STYPE = internal, SFUNC = ordered_set_transition, FINALFUNC = percentile_disc_final, FINALFUNC_EXTRA, FINALFUNC_MODIFY = READ_WRITE);
CREATE AGGREGATE as_if(VARIADIC "any" ORDER BY VARIADIC "any") (STYPE = internal, SFUNC = ordered_set_transition_multi, FINALFUNC = rank_final, FINALFUNC_EXTRA, HYPOTHETICAL);
CREATE TABLE t AS SELECT i::numeric AS n FROM generate_series(1, 5) i;
CREATE VIEW totals AS SELECT total(n) FROM t; CREATE MATERIALIZED VIEW kept AS SELECT * FROM totals;
COMMENT ON AGGREGATE total(numeric) IS 'as sum'; GRANT EXECUTE ON FUNCTION total(numeric) TO kinds_reader;
