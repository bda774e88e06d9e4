-- Default privileges, of one schema and of all.
CREATE SCHEMA default_privileges;
ALTER DEFAULT PRIVILEGES FOR ROLE kinds_owner IN SCHEMA default_privileges GRANT SELECT ON TABLES TO PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE kinds_owner IN SCHEMA default_privileges GRANT ALL ON SEQUENCES TO kinds_reader WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES FOR ROLE kinds_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE kinds_owner GRANT USAGE ON SCHEMAS TO kinds_reader;
CREATE TABLE default_privileges.t (id int); INSERT INTO default_privileges.t VALUES (1);
