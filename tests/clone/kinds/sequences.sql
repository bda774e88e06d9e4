-- Sequences: of columns and of none, with every option, where they stand.
CREATE SCHEMA sequences; SET search_path = sequences;
CREATE SEQUENCE every_option AS smallint INCREMENT 3 MINVALUE 3 MAXVALUE 99 START 6 CACHE 5 CYCLE;
CREATE SEQUENCE down INCREMENT -2 START -1; SELECT nextval('down'), nextval('down');
CREATE SEQUENCE moved; SELECT nextval('moved'), nextval('moved');
CREATE SEQUENCE untouched START 42;
CREATE SEQUENCE to_be_given; SELECT setval('to_be_given', 77, false);
CREATE UNLOGGED SEQUENCE unlogged; SELECT setval('unlogged', 9);
CREATE TABLE t (id serial PRIMARY KEY, n int DEFAULT nextval('moved'), o int);
CREATE SEQUENCE owned OWNED BY t.o; SELECT setval('owned', 50);
INSERT INTO t (o) SELECT i FROM generate_series(1, 12) i;
COMMENT ON SEQUENCE moved IS 'two are gone'; GRANT USAGE, SELECT ON SEQUENCE moved TO PUBLIC; GRANT UPDATE ON SEQUENCE t_id_seq TO kinds_reader;
