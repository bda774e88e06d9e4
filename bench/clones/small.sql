-- Many small tables, :tables of them, each with 100 rows.
CREATE SCHEMA trade;
SELECT format('CREATE TABLE trade.t%s (id int PRIMARY KEY, name text NOT NULL, made timestamptz NOT NULL)', i)
FROM generate_series(1, :tables) AS i
\gexec
SELECT format('INSERT INTO trade.t%s SELECT g, ''row '' || g, timestamptz ''2026-01-01 00:00:00+00'' + g * interval ''1 hour'''
              ' FROM generate_series(1, 100) AS g', i)
FROM generate_series(1, :tables) AS i
\gexec
VACUUM (ANALYZE);
