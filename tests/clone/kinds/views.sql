-- Views: on views, recursive, with options, defaults and privileges, before what they need by name.
CREATE SCHEMA views; SET search_path = views;
CREATE TABLE t (id int PRIMARY KEY, up int, v text); INSERT INTO t SELECT i, i / 2, 'v' FROM generate_series(1, 20) i;
CREATE FUNCTION shown(text) RETURNS text LANGUAGE sql AS 'SELECT upper($1)';
CREATE VIEW z_barrier WITH (security_barrier) AS SELECT *, shown(v) AS "Shown" FROM t WHERE id > 0 WITH CASCADED CHECK OPTION;
CREATE VIEW invoker WITH (security_invoker = true) AS SELECT id FROM t WHERE id < 10 WITH LOCAL CHECK OPTION;
CREATE VIEW a_first AS SELECT z.*, i.id AS other FROM z_barrier z LEFT JOIN invoker i USING (id);
CREATE RECURSIVE VIEW upwards (id, up, depth) AS SELECT id, up, 0 FROM t WHERE up = 0 UNION ALL SELECT t.id, t.up, u.depth + 1 FROM t JOIN upwards u ON t.up = u.id;
CREATE VIEW grouped AS SELECT t.*, count(*) FROM t GROUP BY t.id;
CREATE VIEW windowed AS SELECT id, row_number() OVER w AS n, array_agg(v) FILTER (WHERE id > 2) OVER w AS vs FROM t WINDOW w AS (ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW EXCLUDE TIES);
ALTER VIEW a_first ALTER COLUMN v SET DEFAULT 'by the view'; COMMENT ON VIEW a_first IS 'a view'; COMMENT ON COLUMN a_first.v IS 'its column';
GRANT SELECT (id), UPDATE (v) ON z_barrier TO kinds_reader; ALTER VIEW invoker OWNER TO kinds_owner;
