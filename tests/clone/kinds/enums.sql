-- Enumerated types, with labels in an order of their own.
CREATE SCHEMA enums; SET search_path = enums;
CREATE TYPE state AS ENUM ('new', 'it''s paid', 'Größe', '');
COMMIT; -- a value that is added to an older type cannot be used in the same transaction
ALTER TYPE state ADD VALUE 'before all' BEFORE 'new';
COMMIT;
CREATE TYPE empty AS ENUM ();
COMMENT ON TYPE state IS 'of an order';
CREATE TABLE t (id int PRIMARY KEY, s state DEFAULT 'new', several state[], e empty);
CREATE INDEX ON t (s);
INSERT INTO t VALUES (1, 'before all', '{new,""}'), (2, 'Größe', NULL), (3, '', '{}');
