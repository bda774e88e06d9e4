-- Publications: of tables, columns, rows, schemas, of everything.
CREATE SCHEMA publications; SET search_path = publications;
CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'v' FROM generate_series(1, 9) i;
CREATE TABLE whole (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE part PARTITION OF whole FOR VALUES FROM (1) TO (9);
CREATE PUBLICATION publications_some FOR TABLE publications.t (id) WHERE (id > 1);
CREATE PUBLICATION publications_root FOR TABLE publications.whole WITH (publish_via_partition_root, publish = 'insert, truncate');
CREATE PUBLICATION publications_schema FOR TABLES IN SCHEMA publications;
CREATE PUBLICATION publications_every FOR ALL TABLES WITH (publish = 'insert');
CREATE PUBLICATION publications_empty; COMMENT ON PUBLICATION publications_some IS 'a publication'; ALTER PUBLICATION publications_empty OWNER TO kinds_owner;
