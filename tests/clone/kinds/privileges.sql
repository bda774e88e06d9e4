-- Owners and privileges of everything that has them, of columns too, with grant options.
CREATE SCHEMA privileges AUTHORIZATION kinds_owner; SET search_path = privileges;
CREATE TABLE t (id serial PRIMARY KEY, v text, w text); INSERT INTO t (v) SELECT 'v' FROM generate_series(1, 9);
CREATE VIEW v AS SELECT * FROM t; CREATE SEQUENCE s; CREATE TYPE y AS ENUM ('a'); CREATE DOMAIN d AS int; CREATE FUNCTION f(t) RETURNS int LANGUAGE sql AS 'SELECT 1';
ALTER TABLE t OWNER TO kinds_owner; ALTER VIEW v OWNER TO kinds_owner; ALTER SEQUENCE s OWNER TO kinds_owner; ALTER TYPE y OWNER TO kinds_owner; ALTER DOMAIN d OWNER TO kinds_owner; ALTER FUNCTION f(t) OWNER TO kinds_owner;
SET ROLE kinds_owner;
GRANT USAGE ON SCHEMA privileges TO kinds_reader, PUBLIC; GRANT CREATE ON SCHEMA privileges TO kinds_reader WITH GRANT OPTION;
GRANT SELECT (id), UPDATE (v, w) ON t TO kinds_reader WITH GRANT OPTION; GRANT INSERT, TRIGGER ON t TO PUBLIC; REVOKE DELETE ON t FROM kinds_owner;
GRANT SELECT ON v TO kinds_reader; GRANT USAGE ON SEQUENCE s TO kinds_reader; GRANT USAGE ON TYPE y TO kinds_reader WITH GRANT OPTION; REVOKE USAGE ON TYPE d FROM PUBLIC; REVOKE EXECUTE ON FUNCTION f(t) FROM PUBLIC;
SET ROLE kinds_reader; GRANT SELECT (id) ON t TO kinds_other; RESET ROLE;
