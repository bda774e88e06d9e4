-- Casts of every method.
CREATE SCHEMA casts; SET search_path = casts;
CREATE TYPE state AS ENUM ('new', 'old'); CREATE TYPE pair AS (a int, b int); CREATE TYPE other AS (x int, y int);
CREATE FUNCTION rank(state) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT CASE $1 WHEN ''new'' THEN 0 ELSE 1 END';
CREATE CAST (state AS int) WITH FUNCTION rank(state) AS ASSIGNMENT;
CREATE CAST (state AS varchar) WITH INOUT AS IMPLICIT;
CREATE CAST (state AS bigint) WITH INOUT;
COMMENT ON CAST (casts.state AS int) IS 'its rank';
CREATE TABLE t (s state, n int GENERATED ALWAYS AS (s::int) STORED); INSERT INTO t VALUES ('new'), ('old');
