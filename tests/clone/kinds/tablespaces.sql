-- Tables and indexes in a tablespace, which the target has to have.
CREATE SCHEMA tablespaces; SET search_path = tablespaces;
CREATE TABLE t (id int PRIMARY KEY USING INDEX TABLESPACE kinds_space, v text) TABLESPACE kinds_space; CREATE TABLE u (id int); CREATE INDEX there ON u (id) TABLESPACE kinds_space;
CREATE TABLE whole (id int) PARTITION BY RANGE (id) TABLESPACE kinds_space; CREATE TABLE part PARTITION OF whole FOR VALUES FROM (1) TO (9); CREATE TABLE elsewhere PARTITION OF whole DEFAULT TABLESPACE pg_default;
CREATE MATERIALIZED VIEW m TABLESPACE kinds_space AS SELECT 1 AS one;
INSERT INTO t SELECT i, 'v' FROM generate_series(1, 9) i; INSERT INTO u VALUES (1); INSERT INTO whole VALUES (1), (99);
