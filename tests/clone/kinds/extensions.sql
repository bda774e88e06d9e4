-- Minimum version: 18.  Extensions in schemas of their own and in one with other objects; what users keep in their tables.
CREATE SCHEMA extensions; CREATE EXTENSION keeper SCHEMA extensions;
INSERT INTO extensions.kept VALUES (100, 'a user''s'); SELECT nextval('extensions.numbers');
CREATE TABLE extensions.t (id int DEFAULT extensions.added(), k int REFERENCES extensions.kept); INSERT INTO extensions.t VALUES (DEFAULT, 100);
COMMENT ON EXTENSION keeper IS 'another comment';
