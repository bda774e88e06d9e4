-- Many small tables in the schema :schema, :tables of them, each with 100 rows and a primary key; and, if :indexed says so,
-- with one more index.
SET synchronous_commit = off;
CREATE SCHEMA :schema;
SELECT format('CREATE TABLE %s.t%s (id int PRIMARY KEY, name text NOT NULL, made timestamptz NOT NULL)', :'schema', i)
FROM generate_series(1, :tables) AS i
\gexec
SELECT format('INSERT INTO %s.t%s SELECT g, ''row '' || g, timestamptz ''2026-01-01 00:00:00+00'' + g * interval ''1 hour'''
              ' FROM generate_series(1, 100) AS g', :'schema', i)
FROM generate_series(1, :tables) AS i
\gexec
\if :indexed
SELECT format('CREATE INDEX ON %s.t%s (made)', :'schema', i)
FROM generate_series(1, :tables) AS i
\gexec
\endif
VACUUM (ANALYZE);
