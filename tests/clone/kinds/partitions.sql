-- Partitioned tables: by range, list and hash, of partitions, with defaults; what is attached and what was detached.
CREATE SCHEMA partitions; CREATE SCHEMA partitions_far; SET search_path = partitions;
CREATE TABLE measures (id int NOT NULL, at date NOT NULL, region text, v numeric DEFAULT 1, CONSTRAINT pos CHECK (v > 0)) PARTITION BY RANGE (at, lower(region));
CREATE TABLE measures_2023 PARTITION OF measures FOR VALUES FROM ('2023-01-01', MINVALUE) TO ('2024-01-01', MINVALUE) PARTITION BY LIST (region);
CREATE TABLE measures_2023_eu PARTITION OF measures_2023 (v DEFAULT 7) FOR VALUES IN ('eu', NULL) WITH (fillfactor = 70);
CREATE TABLE measures_2023_rest PARTITION OF measures_2023 DEFAULT;
CREATE TABLE partitions_far.the_rest PARTITION OF measures DEFAULT;
CREATE INDEX by_value ON measures (v); CREATE INDEX only_here ON measures_2023_eu (v) WHERE v > 5;
CREATE INDEX not_complete ON ONLY measures (region); CREATE INDEX attached ON measures_2023_rest (region);
INSERT INTO measures SELECT i, date '2022-12-01' + i, CASE i % 3 WHEN 0 THEN 'eu' WHEN 1 THEN 'us' END, i FROM generate_series(1, 400) i WHERE i % 3 < 2;
CREATE TABLE hashed (id int PRIMARY KEY, gone int, v text) PARTITION BY HASH (id);
CREATE TABLE hashed_0 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE hashed_1 (v text, id int NOT NULL, gone int); ALTER TABLE hashed ATTACH PARTITION hashed_1 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
ALTER TABLE hashed DROP COLUMN gone; INSERT INTO hashed SELECT i, 'v' || i FROM generate_series(1, 60) i;
CREATE TABLE listed (k text, n int) PARTITION BY LIST (k); CREATE TABLE listed_ab PARTITION OF listed FOR VALUES IN ('a', 'b'); CREATE TABLE listed_c PARTITION OF listed FOR VALUES IN ('c');
INSERT INTO listed VALUES ('a', 1), ('c', 2); ALTER TABLE listed DETACH PARTITION listed_c;
CREATE TABLE alone (id int) PARTITION BY RANGE (id);
COMMENT ON TABLE measures IS 'the whole'; COMMENT ON TABLE measures_2023_eu IS 'a part';
