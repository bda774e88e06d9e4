-- Primary keys and unique constraints: deferrable, with included columns, where nulls are equal.
CREATE SCHEMA keys; SET search_path = keys;
CREATE TABLE pk (id int, b int, payload text, CONSTRAINT "the key" PRIMARY KEY (id, b) INCLUDE (payload) WITH (fillfactor = 80));
CREATE TABLE uniques (a int UNIQUE DEFERRABLE INITIALLY DEFERRED, b int, c int, UNIQUE NULLS NOT DISTINCT (b) INCLUDE (c), UNIQUE (c, b) DEFERRABLE);
COMMENT ON CONSTRAINT "the key" ON pk IS 'of two';
COMMENT ON INDEX "the key" IS 'the index of a constraint';
INSERT INTO pk SELECT i, i % 3, 'p' FROM generate_series(1, 30) i;
INSERT INTO uniques VALUES (1, NULL, 1), (NULL, 1, 2), (2, 2, 3);
CREATE TABLE by_index (id int NOT NULL); CREATE UNIQUE INDEX named ON by_index (id); ALTER TABLE by_index ADD PRIMARY KEY USING INDEX named;
INSERT INTO by_index SELECT generate_series(1, 9);
