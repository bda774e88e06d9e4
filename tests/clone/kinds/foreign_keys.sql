-- Foreign keys: actions, deferrable, to themselves, in rings, of many columns, of unique indexes, not valid, across schemas.
CREATE SCHEMA foreign_keys; CREATE SCHEMA foreign_keys_far; SET search_path = foreign_keys;
CREATE TABLE a_refers_ahead (id int PRIMARY KEY, z int);
CREATE TABLE z (id int PRIMARY KEY, a int, b int, UNIQUE (a, b)); INSERT INTO z SELECT i, i, i FROM generate_series(1, 20) i;
ALTER TABLE a_refers_ahead ADD CONSTRAINT "a→z" FOREIGN KEY (z) REFERENCES z ON DELETE CASCADE ON UPDATE SET NULL DEFERRABLE INITIALLY DEFERRED;
COMMENT ON CONSTRAINT "a→z" ON a_refers_ahead IS 'ahead';
CREATE TABLE pairs (x int, y int, k int DEFAULT 1, FOREIGN KEY (x, y) REFERENCES z (a, b) MATCH FULL ON DELETE SET DEFAULT);
CREATE TABLE some_columns (x int, y int, FOREIGN KEY (x, y) REFERENCES z (a, b) ON DELETE SET NULL (y));
CREATE TABLE self (id int PRIMARY KEY, up int REFERENCES self); INSERT INTO self VALUES (1, 3), (2, 1), (3, 2);
CREATE TABLE ring_a (id int PRIMARY KEY, b int); CREATE TABLE ring_b (id int PRIMARY KEY, a int REFERENCES ring_a);
ALTER TABLE ring_a ADD FOREIGN KEY (b) REFERENCES ring_b; INSERT INTO ring_a VALUES (1, NULL); INSERT INTO ring_b VALUES (1, 1); UPDATE ring_a SET b = 1;
CREATE UNIQUE INDEX late ON z (a); CREATE TABLE to_index (a int REFERENCES z (a));
CREATE TABLE foreign_keys_far.away (id int PRIMARY KEY REFERENCES z);
CREATE TABLE near (id int REFERENCES foreign_keys_far.away);
INSERT INTO a_refers_ahead SELECT i, i FROM generate_series(1, 20) i; INSERT INTO pairs SELECT i, i FROM generate_series(1, 5) i; INSERT INTO some_columns VALUES (1, 1), (NULL, 9);
INSERT INTO to_index VALUES (3); INSERT INTO foreign_keys_far.away VALUES (1), (2); INSERT INTO near VALUES (1), (1);
CREATE TABLE unproven (z int); INSERT INTO unproven VALUES (-1); ALTER TABLE unproven ADD FOREIGN KEY (z) REFERENCES z NOT VALID;
CREATE TABLE parted (id int, p int, PRIMARY KEY (id, p)) PARTITION BY LIST (p); CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1); INSERT INTO parted VALUES (1, 1);
CREATE TABLE to_parted (id int, p int, FOREIGN KEY (id, p) REFERENCES parted); INSERT INTO to_parted VALUES (1, 1);
