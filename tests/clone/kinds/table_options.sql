-- What a table is beside its columns: unlogged, storage parameters of it and its TOAST table, replica identity.
CREATE SCHEMA table_options; SET search_path = table_options;
CREATE UNLOGGED TABLE unlogged (id serial, v text); INSERT INTO unlogged (v) SELECT 'v' FROM generate_series(1, 9);
CREATE TABLE stored (id int, t text) WITH (fillfactor = 70, autovacuum_enabled = false, toast_tuple_target = 4096, toast.autovacuum_enabled = false, toast.autovacuum_vacuum_threshold = 99);
INSERT INTO stored SELECT i, repeat('long', 3000) FROM generate_series(1, 9) i;
CREATE TABLE identified (id int); ALTER TABLE identified REPLICA IDENTITY FULL;
CREATE TABLE not_identified (id int); ALTER TABLE not_identified REPLICA IDENTITY NOTHING;
COMMENT ON TABLE stored IS 'with a comment';
