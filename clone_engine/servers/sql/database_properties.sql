-- What is set for the current database, as statements for another one: comment, connection limit, settings (those of
-- roles in it too), owner, privileges.  pg_dump leaves them to pg_dumpall and --create.
-- $1 the other database.  psql: \bind other \g
WITH d AS (
    SELECT * FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()
), granted AS (
    SELECT a.ordinality, a.grantee, a.privilege_type, a.is_grantable, d.datdba,
           CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END AS role
    FROM d, pg_catalog.aclexplode(d.datacl) WITH ORDINALITY a
)
SELECT 'comment on' AS what, 1 AS place, 1 AS number,
       pg_catalog.format('COMMENT ON DATABASE %I IS %L', $1::text, pg_catalog.shobj_description(d.oid, 'pg_database')) AS statement
FROM d WHERE pg_catalog.shobj_description(d.oid, 'pg_database') IS NOT NULL
UNION ALL
SELECT 'connection limit of', 1, 2, pg_catalog.format('ALTER DATABASE %I CONNECTION LIMIT %s', $1::text, d.datconnlimit)
FROM d WHERE d.datconnlimit > -1
UNION ALL
SELECT 'owner of', 2, 1, pg_catalog.format('ALTER DATABASE %I OWNER TO %I', $1::text, pg_catalog.pg_get_userbyid(d.datdba)) FROM d
UNION ALL
SELECT 'privileges on', 3, 1, pg_catalog.format('REVOKE ALL ON DATABASE %I FROM PUBLIC, %I', $1::text, pg_catalog.pg_get_userbyid(d.datdba))
FROM d WHERE d.datacl IS NOT NULL
UNION ALL
SELECT 'privileges on', 4, g.ordinality, pg_catalog.format('GRANT %s ON DATABASE %I TO %s%s', g.privilege_type, $1::text, g.role,
                                             CASE WHEN g.is_grantable AND g.grantee <> g.datdba THEN ' WITH GRANT OPTION' ELSE '' END)
FROM granted g
UNION ALL
SELECT 'settings of', 5, setting.ordinality,
       pg_catalog.format('ALTER %s SET %s TO %s',
                         CASE s.setrole WHEN 0 THEN pg_catalog.format('DATABASE %I', $1::text)
                              ELSE pg_catalog.format('ROLE %I IN DATABASE %I', pg_catalog.pg_get_userbyid(s.setrole), $1::text) END,
                         (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(part), '.')
                          FROM pg_catalog.unnest(pg_catalog.string_to_array(pg_catalog.split_part(setting.text, '=', 1), '.')) part),
                         CASE WHEN pg_catalog.lower(pg_catalog.split_part(setting.text, '=', 1))
                                   IN ('search_path', 'temp_tablespaces', 'session_preload_libraries',
                                       'shared_preload_libraries', 'local_preload_libraries', 'unix_socket_directories')
                              THEN pg_catalog.substr(setting.text, pg_catalog.strpos(setting.text, '=') + 1)
                              ELSE pg_catalog.quote_literal(pg_catalog.substr(setting.text, pg_catalog.strpos(setting.text, '=') + 1)) END)
FROM pg_catalog.pg_db_role_setting s, d, pg_catalog.unnest(s.setconfig) WITH ORDINALITY AS setting(text, ordinality)
WHERE s.setdatabase = d.oid
ORDER BY place, number;
