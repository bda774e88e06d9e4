-- Rows with values of every usual type, and what text formats like to break.
CREATE SCHEMA values; SET search_path = values;
CREATE TABLE t (b bytea, t text, f float8, r real, d date, ts timestamptz, tm timetz, j json, jb jsonb, x xml, n numeric, i interval,
  v tsvector, q tsquery, u uuid, net inet, mac macaddr8, p point, po polygon, bo boolean, o oid, l pg_lsn, m money, a text[][]);
INSERT INTO t VALUES
  ('\x00ff5c0a', E'\\.', 'NaN', '-Infinity', 'infinity', '0044-03-15 12:00Z BC', '23:59:60+14', '{"a": "\\n"}', '{"ü": [1, null]}', NULL, 'NaN',
   '1 mon -3 days 04:05', 'a:1A b:2', 'a & !b', '00000000-0000-0000-0000-000000000001', '::1/64', '08:00:2b:01:02:03:04:05', '(1,2)', '((0,0),(1,1))', true, 4294967295, '16/B374D848', '-1.5', '{{a,NULL},{"b,\"",\\}}'),
  ('', E'a\tb\nc\rd\\e\b\f\v', 1e-300, 0.1, '0001-01-01 BC', '-infinity', '00:00-14', 'null', 'null', NULL, 1e1000, '-1 s', '', '', NULL, '10.0.0.0/8', NULL, NULL, NULL, false, 0, '0/0', NULL, '{}'),
  (NULL, '\N', '-0', 'NaN', NULL, NULL, NULL, NULL, NULL, NULL, -0.000000001, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (NULL, 'ünï – 🐘', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
