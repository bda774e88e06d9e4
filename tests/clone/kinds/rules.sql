-- Rules on tables and views, and which of them are enabled.
CREATE SCHEMA rules; SET search_path = rules;
CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE log (id int, at text);
INSERT INTO t SELECT i, 'v' FROM generate_series(1, 9) i;
CREATE RULE noted AS ON UPDATE TO t WHERE OLD.v <> NEW.v DO ALSO INSERT INTO log VALUES (NEW.id, 'u');
CREATE RULE never AS ON DELETE TO t DO INSTEAD NOTHING;
CREATE RULE "both" AS ON INSERT TO log DO ALSO (NOTIFY rules; UPDATE t SET v = 'n' WHERE id = NEW.id);
CREATE VIEW seen AS SELECT * FROM t;
CREATE RULE through AS ON INSERT TO seen DO INSTEAD INSERT INTO t VALUES (NEW.*) RETURNING *;
ALTER TABLE t DISABLE RULE never; ALTER TABLE log ENABLE REPLICA RULE "both"; ALTER TABLE t ENABLE ALWAYS RULE noted;
COMMENT ON RULE noted ON t IS 'a rule';
