-- Needs ICU.  Collations of ICU, and such as make different texts equal.
CREATE SCHEMA collations_icu; SET search_path = collations_icu;
CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE COLLATION german (provider = icu, locale = 'de-u-co-phonebk');
CREATE TABLE t (b text COLLATE loose PRIMARY KEY, c text COLLATE german); CREATE INDEX ON t (c);
INSERT INTO t VALUES ('B', 'Ä'), ('c', 'z');
CREATE TABLE by_text (b text COLLATE loose REFERENCES t) PARTITION BY RANGE (b COLLATE german);
CREATE TABLE by_text_part PARTITION OF by_text FOR VALUES FROM ('a') TO ('m'); INSERT INTO by_text VALUES ('b'), ('C');
