-- What the target has outside schemas, by name: schemas, the tablespaces that we may use, extensions with their
-- versions (and those that could be installed), languages, foreign servers and the like; user mappings with role and server.
SELECT 'schema' AS kind, nspname::text AS name, '' AS other FROM pg_catalog.pg_namespace
UNION ALL
SELECT 'tablespace', spcname, '' FROM pg_catalog.pg_tablespace
WHERE pg_catalog.has_tablespace_privilege(oid, 'CREATE')
UNION ALL
SELECT 'extension', extname, extversion FROM pg_catalog.pg_extension
UNION ALL
SELECT 'available extension', name, default_version FROM pg_catalog.pg_available_extensions
UNION ALL
SELECT 'language', lanname, '' FROM pg_catalog.pg_language
UNION ALL
SELECT 'access method', amname, '' FROM pg_catalog.pg_am
UNION ALL
SELECT 'foreign data wrapper', fdwname, '' FROM pg_catalog.pg_foreign_data_wrapper
UNION ALL
SELECT 'server', srvname, '' FROM pg_catalog.pg_foreign_server
UNION ALL
SELECT 'user mapping', usename, srvname FROM pg_catalog.pg_user_mappings
UNION ALL
SELECT 'publication', pubname, '' FROM pg_catalog.pg_publication
UNION ALL
SELECT 'event trigger', evtname, '' FROM pg_catalog.pg_event_trigger;
