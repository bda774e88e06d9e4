-- Access methods of tables and indexes, and what is stored with them.
CREATE SCHEMA access_methods;
CREATE ACCESS METHOD access_methods_pile TYPE TABLE HANDLER heap_tableam_handler; COMMENT ON ACCESS METHOD access_methods_pile IS 'as heap';
CREATE ACCESS METHOD access_methods_tree TYPE INDEX HANDLER bthandler;
CREATE OPERATOR CLASS access_methods.ints DEFAULT FOR TYPE int USING access_methods_tree AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 btint4cmp(int, int);
CREATE TABLE access_methods.t (id int) USING access_methods_pile; INSERT INTO access_methods.t SELECT generate_series(1, 20);
CREATE TABLE access_methods.plain (id int); INSERT INTO access_methods.plain VALUES (1);
CREATE MATERIALIZED VIEW access_methods.m USING access_methods_pile AS SELECT count(*) FROM access_methods.t;
