-- Foreign data wrappers, servers, user mappings with their passwords, foreign tables.
CREATE SCHEMA foreign_data; SET search_path = foreign_data;
CREATE FOREIGN DATA WRAPPER foreign_data_nothing OPTIONS (a 'b');
CREATE SERVER foreign_data_far TYPE 'x' VERSION '1' FOREIGN DATA WRAPPER foreign_data_nothing OPTIONS (host 'h', "Odd" 'it''s');
CREATE USER MAPPING FOR PUBLIC SERVER foreign_data_far OPTIONS (user 'u', password 'mapped secret');
CREATE USER MAPPING FOR kinds_reader SERVER foreign_data_far;
CREATE FOREIGN TABLE remote (id int OPTIONS (column_name 'ID') NOT NULL, v text COLLATE "C" DEFAULT 'x', CHECK (id > 0)) SERVER foreign_data_far OPTIONS (table_name 't');
CREATE TABLE whole (id int, v text) PARTITION BY RANGE (id);
CREATE FOREIGN TABLE part PARTITION OF whole FOR VALUES FROM (1) TO (9) SERVER foreign_data_far;
CREATE TABLE here PARTITION OF whole FOR VALUES FROM (9) TO (99); INSERT INTO whole VALUES (10, 'local');
COMMENT ON SERVER foreign_data_far IS 's'; COMMENT ON FOREIGN DATA WRAPPER foreign_data_nothing IS 'w'; COMMENT ON FOREIGN TABLE remote IS 't';
GRANT USAGE ON FOREIGN SERVER foreign_data_far TO kinds_reader; GRANT USAGE ON FOREIGN DATA WRAPPER foreign_data_nothing TO kinds_reader; GRANT SELECT ON remote TO kinds_reader;
