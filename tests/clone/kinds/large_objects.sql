-- Large objects, with owners, privileges and comments, and a table that refers to them.
CREATE SCHEMA large_objects; CREATE TABLE large_objects.t (o oid, l oid);
INSERT INTO large_objects.t SELECT lo_from_bytea(4000000000 + i, decode(repeat('00ff5c', i * 100), 'hex')) FROM generate_series(1, 20) i;
SELECT lo_create(77);
COMMENT ON LARGE OBJECT 77 IS 'empty'; ALTER LARGE OBJECT 77 OWNER TO kinds_owner; GRANT SELECT ON LARGE OBJECT 4000000001 TO PUBLIC, kinds_reader;
