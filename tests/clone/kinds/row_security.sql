-- Row security: enabled, forced; policies for commands and roles, permissive and restrictive.
CREATE SCHEMA row_security; SET search_path = row_security;
CREATE TABLE t (id int PRIMARY KEY, who name DEFAULT current_user); CREATE TABLE others (id int);
INSERT INTO t SELECT i, 'nobody' FROM generate_series(1, 30) i; INSERT INTO others VALUES (1);
ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY; ALTER TABLE others FORCE ROW LEVEL SECURITY;
CREATE POLICY "own rows" ON t USING (who = current_user) WITH CHECK (id > 0);
CREATE POLICY reading ON t FOR SELECT TO kinds_reader, kinds_owner USING (EXISTS (SELECT FROM others o WHERE o.id = t.id));
CREATE POLICY limits ON t AS RESTRICTIVE FOR UPDATE TO PUBLIC USING (id < 1000);
CREATE POLICY adding ON t FOR INSERT WITH CHECK (true); CREATE POLICY removing ON t FOR DELETE USING (false);
COMMENT ON POLICY limits ON t IS 'restrictive';
