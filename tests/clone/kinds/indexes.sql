-- Indexes of every access method: partial, of expressions, with operator classes, collations, options, marks.
CREATE SCHEMA indexes; SET search_path = indexes;
CREATE TABLE t (id int PRIMARY KEY, a text, b int, j jsonb, p point, r int4range, v tsvector, u int NOT NULL);
CREATE INDEX btree ON t (lower(a) DESC NULLS LAST, b ASC NULLS FIRST) INCLUDE (u) WITH (fillfactor = 70, deduplicate_items = off) WHERE b > 3;
CREATE INDEX hash ON t USING hash (a) WITH (fillfactor = 60);
CREATE INDEX gin ON t USING gin (j jsonb_path_ops, v) WITH (fastupdate = off);
CREATE INDEX gist ON t USING gist (r, p) WITH (buffering = on);
CREATE INDEX spgist ON t USING spgist (p quad_point_ops);
CREATE INDEX brin ON t USING brin (b int4_minmax_multi_ops (values_per_range = 8), u) WITH (pages_per_range = 4, autosummarize = on);
CREATE INDEX "Odd ""name""" ON t (a COLLATE "C" text_pattern_ops);
CREATE UNIQUE INDEX several ON t (u, (b + 1)) NULLS NOT DISTINCT;
CREATE INDEX expressions ON t ((a || 'x'), (b * 2)); ALTER INDEX expressions ALTER COLUMN 2 SET STATISTICS 300;
CREATE UNIQUE INDEX identifies ON t (u); ALTER TABLE t REPLICA IDENTITY USING INDEX identifies;
ALTER TABLE t CLUSTER ON identifies;
COMMENT ON INDEX btree IS 'a comment';
INSERT INTO t SELECT i, 'a' || i, i, jsonb_build_object('k', i), point(i, i), int4range(i, i + 2), to_tsvector('simple', 'w' || i), i FROM generate_series(1, 50) i;
