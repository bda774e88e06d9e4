-- How the current database was made, and what is set for it: a row with all that CREATE DATABASE can say again.  The
-- columns of pg_database differ between versions, so it is read as JSON.  psql: \g
SELECT pg_catalog.pg_encoding_to_char(d.encoding) AS encoding,
       d.datcollate AS lc_collate,
       d.datctype AS lc_ctype,
       coalesce(pg_catalog.to_jsonb(d) ->> 'datlocprovider', 'c') AS provider,
       coalesce(pg_catalog.to_jsonb(d) ->> 'datlocale', pg_catalog.to_jsonb(d) ->> 'daticulocale', '') AS locale,
       coalesce(pg_catalog.to_jsonb(d) ->> 'daticurules', '') AS icu_rules
FROM pg_catalog.pg_database d
WHERE d.datname = pg_catalog.current_database();
