-- Minimum version: 18.  What PostgreSQL 17 and 18 brought.
CREATE SCHEMA app;
SET search_path = app;
CREATE TABLE computed (a int, b int GENERATED ALWAYS AS (a * 2) VIRTUAL, c int GENERATED ALWAYS AS (a + 1) STORED, CONSTRAINT small CHECK (a < 1000) NOT ENFORCED);
INSERT INTO computed SELECT i FROM generate_series(1, 20) i;
CREATE TABLE named_nulls (a int CONSTRAINT needed NOT NULL, b int, CONSTRAINT b_needed NOT NULL b NO INHERIT);
CREATE TABLE not_yet (a int); INSERT INTO not_yet VALUES (NULL); ALTER TABLE not_yet ADD CONSTRAINT later NOT NULL a NOT VALID;
COMMENT ON CONSTRAINT later ON not_yet IS 'not valid';
CREATE TABLE times (id int4range, during tstzrange, PRIMARY KEY (id, during WITHOUT OVERLAPS));
CREATE TABLE within (id int4range, during tstzrange, FOREIGN KEY (id, PERIOD during) REFERENCES times (id, PERIOD during));
INSERT INTO times VALUES ('[1,2)', '[2020-01-01,2021-01-01)'); INSERT INTO within VALUES ('[1,2)', '[2020-02-01,2020-03-01)');
CREATE TABLE keyed (id int PRIMARY KEY); CREATE TABLE loose (id int REFERENCES keyed NOT ENFORCED); INSERT INTO loose VALUES (7);
CREATE TABLE parted (id int GENERATED ALWAYS AS IDENTITY, v int NOT NULL) PARTITION BY RANGE (v);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (1) TO (100); INSERT INTO parted (v) SELECT i FROM generate_series(1, 50) i;
