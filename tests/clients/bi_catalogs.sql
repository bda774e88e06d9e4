-- What database browsers, drivers and BI tools ask the catalogues when they connect and fill their pickers.  Each statement
-- has a line above it that says whose habit it follows, and what it is for:
--     start     when it connects, or takes the connection from its pool
--     tables    which relations there are: lists the jobs view where the stubs are installed
--     columns   what one relation is made of: lists the columns of the view, in order
-- None is a tool's own text.  tests/clients/test_bi_catalogs.py runs them; so does psql.

--@ SQLAlchemy (Superset, Redash, notebooks), version | start
SELECT pg_catalog.version();
--@ SQLAlchemy, schema | start
SELECT current_schema();
--@ SQLAlchemy, strings | start
SHOW standard_conforming_strings;
--@ SQLAlchemy, isolation | start
SHOW transaction isolation level;
--@ SQLAlchemy, hstore | start
SELECT t.oid, typarray FROM pg_type t JOIN pg_namespace ns ON typnamespace = ns.oid WHERE typname = 'hstore';
--@ SQLAlchemy, schemas | start
SELECT nspname FROM pg_catalog.pg_namespace WHERE nspname NOT LIKE 'pg\_%' ORDER BY nspname;
--@ SQLAlchemy, views of a schema | tables
SELECT c.relname FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = ANY (ARRAY['v'::char]) AND c.relpersistence != 't' AND n.nspname = 'public';
--@ SQLAlchemy, is there such a table? | tables
SELECT relname FROM pg_catalog.pg_class JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace
WHERE relname = 'pgclone_jobs_view' AND relkind = ANY (ARRAY['r', 'p', 'f', 'v', 'm']::char[])
  AND pg_catalog.pg_table_is_visible(pg_class.oid) AND n.nspname != 'pg_catalog';
--@ SQLAlchemy, columns | columns
SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS format_type,
  (SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef AS d
   WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.atthasdef) AS "default",
  a.attnotnull AS not_null, c.relname AS table_name, col.description AS comment, a.attgenerated AS generated,
  (SELECT json_build_object('always', a.attidentity = 'a', 'start', s.seqstart) FROM pg_sequence AS s
   WHERE a.attidentity != '' AND s.seqrelid = pg_get_serial_sequence(quote_ident(c.relname), a.attname)::regclass) AS identity_options
FROM pg_class AS c
LEFT JOIN pg_attribute AS a ON c.oid = a.attrelid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_description AS col ON col.objoid = a.attrelid AND col.objsubid = a.attnum
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = ANY (ARRAY['r', 'p', 'f', 'v', 'm']::char[]) AND n.nspname = 'public' AND c.relname IN ('pgclone_jobs_view')
ORDER BY c.relname, a.attnum;
--@ SQLAlchemy, text of the view | start
SELECT pg_get_viewdef(c.oid) AS view_definition FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'public' AND c.relname = 'pgclone_jobs_view' AND c.relkind IN ('v', 'm');

--@ Metabase, connection | start
SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ UNCOMMITTED;
--@ Metabase, digits | start
SET extra_float_digits = 2;
--@ Metabase, time zone | start
SELECT current_setting('TimeZone');
--@ Metabase, relations of the schemas | tables
SELECT n.nspname AS "schema", c.relname AS "name", CASE c.relkind WHEN 'r' THEN 'TABLE' WHEN 'v' THEN 'VIEW' ELSE 'OTHER' END AS "type",
  d.description AS "description", stat.n_live_tup AS "estimated_row_count"
FROM pg_catalog.pg_class AS c
INNER JOIN pg_catalog.pg_namespace AS n ON c.relnamespace = n.oid
LEFT JOIN pg_catalog.pg_description AS d ON c.oid = d.objoid AND d.objsubid = 0 AND d.classoid = 'pg_class'::regclass
LEFT JOIN pg_stat_user_tables AS stat ON n.nspname = stat.schemaname AND c.relname = stat.relname
WHERE c.relnamespace = n.oid AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND c.relkind IN ('r', 'p', 'v', 'f', 'm') ORDER BY "type", "schema", "name";
--@ Metabase, what may the role do? | tables
WITH privileges AS (
  SELECT NULL AS role, t.schemaname AS schema, t.objectname AS "table",
    has_any_column_privilege(current_user, '"' || replace(t.schemaname, '"', '""') || '"."' || replace(t.objectname, '"', '""') || '"', 'select') AS "select",
    has_any_column_privilege(current_user, '"' || replace(t.schemaname, '"', '""') || '"."' || replace(t.objectname, '"', '""') || '"', 'update') AS "update",
    has_table_privilege(current_user, '"' || replace(t.schemaname, '"', '""') || '"."' || replace(t.objectname, '"', '""') || '"', 'delete') AS "delete"
  FROM (SELECT schemaname, tablename AS objectname FROM pg_catalog.pg_tables
        UNION SELECT schemaname, viewname FROM pg_catalog.pg_views
        UNION SELECT schemaname, matviewname FROM pg_catalog.pg_matviews) AS t
  WHERE t.schemaname !~ '^pg_' AND t.schemaname <> 'information_schema'
    AND has_schema_privilege(current_user, t.schemaname, 'usage')
) SELECT p.* FROM privileges AS p WHERE p."select" ORDER BY 2, 3;
--@ Metabase, fields | columns
SELECT c.column_name AS "name", c.udt_name AS "database-type", c.ordinal_position - 1 AS "database-position", c.table_schema, c.table_name,
  pk.column_name IS NOT NULL AS "pk?", col_description(CAST(CAST(format('%I.%I', c.table_schema, c.table_name) AS regclass) AS oid), c.ordinal_position) AS "field-comment",
  (c.column_default IS NULL OR lower(c.column_default) = 'null') AND c.is_nullable = 'NO' AS "database-required"
FROM information_schema.columns AS c
LEFT JOIN (SELECT tc.table_schema, tc.table_name, kc.column_name FROM information_schema.table_constraints AS tc
           INNER JOIN information_schema.key_column_usage AS kc
             ON tc.constraint_name = kc.constraint_name AND tc.table_schema = kc.table_schema AND tc.table_name = kc.table_name
           WHERE tc.constraint_type = 'PRIMARY KEY') AS pk
  ON c.table_schema = pk.table_schema AND c.table_name = pk.table_name AND c.column_name = pk.column_name
WHERE c.table_schema !~ '^information_schema|catalog_history|pg_' AND c.table_name = 'pgclone_jobs_view' ORDER BY c.ordinal_position;
--@ Metabase, enums | start
SELECT nspname, typname, enumlabel FROM pg_enum JOIN pg_type t ON enumtypid = t.oid JOIN pg_namespace n ON n.oid = t.typnamespace ORDER BY enumsortorder;

--@ psqlODBC (Tableau, Excel, Qlik), after the login | start
SET DateStyle = 'ISO';SET extra_float_digits = 2;SHOW transaction_isolation;
--@ psqlODBC, large objects | start
SELECT oid, typbasetype FROM pg_type WHERE typname = 'lo';
--@ psqlODBC, SQLTables | tables
SELECT relname, nspname, relkind FROM pg_catalog.pg_class c, pg_catalog.pg_namespace n
WHERE relkind IN ('r', 'v', 'm', 'f', 'p') AND nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'pg_temp_1')
  AND n.oid = relnamespace ORDER BY nspname, relname;
--@ psqlODBC, SQLColumns | columns
SELECT a.attname, n.nspname, c.relname, a.atttypid, t.typname, a.attnum, a.attlen, a.atttypmod, a.attnotnull, c.relhasrules, c.relkind, c.oid,
  pg_get_expr(d.adbin, d.adrelid), CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE 0 END, t.typtypmod, 'f' AS relhasoids, a.attidentity
FROM (((pg_catalog.pg_class c INNER JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND c.relname = E'pgclone\_jobs\_view' AND n.nspname = E'public')
  INNER JOIN pg_catalog.pg_attribute a ON (NOT a.attisdropped) AND a.attnum > 0 AND a.attrelid = c.oid)
  INNER JOIN pg_catalog.pg_type t ON t.oid = a.atttypid)
  LEFT OUTER JOIN pg_attrdef d ON a.atthasdef AND d.adrelid = a.attrelid AND d.adnum = a.attnum
ORDER BY n.nspname, c.relname, attnum;
--@ psqlODBC, SQLPrimaryKeys | start
SELECT ta.attname, ia.attnum, ic.relname, n.nspname, tc.relname
FROM pg_catalog.pg_attribute ta, pg_catalog.pg_attribute ia, pg_catalog.pg_class tc, pg_catalog.pg_index i, pg_catalog.pg_namespace n, pg_catalog.pg_class ic
WHERE tc.relname = E'pgclone_jobs_view' AND n.nspname = E'public' AND tc.oid = i.indrelid AND n.oid = tc.relnamespace AND i.indisprimary = 't'
  AND ia.attrelid = i.indexrelid AND ta.attrelid = i.indrelid AND ta.attnum = i.indkey[ia.attnum - 1] AND NOT ta.attisdropped AND ic.oid = i.indexrelid
ORDER BY ia.attnum;
--@ Tableau, may it make tables? | start
CREATE LOCAL TEMPORARY TABLE "#Tableau_Connect" ("COL" INTEGER) ON COMMIT PRESERVE ROWS;
--@ Tableau, and drops it | start
DROP TABLE IF EXISTS "#Tableau_Connect" CASCADE;

--@ Npgsql (Power BI), version | start
SELECT version();
--@ Npgsql, types | start
SELECT ns.nspname, t.oid, t.typname, t.typtype, t.typnotnull, t.elemtypoid
FROM (SELECT typ.oid, typ.typnamespace, typ.typname, typ.typtype, typ.typrelid, typ.typnotnull, typ.relkind, elemtyp.oid AS elemtypoid,
        CASE WHEN elemproc.proname = 'array_recv' THEN 'a' ELSE elemtyp.typtype END AS elemtyptype
      FROM (SELECT t.oid, typnamespace, typname, typrelid, typnotnull, relkind, typelem AS elemoid,
              CASE WHEN proc.proname = 'array_recv' THEN 'a' ELSE typtype END AS typtype,
              CASE WHEN proc.proname = 'array_recv' THEN typelem WHEN typtype = 'r' THEN rngsubtype
                   WHEN typtype = 'm' THEN (SELECT rngtypid FROM pg_range WHERE rngmultitypid = t.oid)
                   WHEN typtype = 'd' THEN typbasetype END AS elemtypoid
            FROM pg_type AS t LEFT JOIN pg_class AS cls ON (cls.oid = t.typrelid) LEFT JOIN pg_proc AS proc ON proc.oid = t.typreceive
              LEFT JOIN pg_range ON (pg_range.rngtypid = t.oid)) AS typ
        LEFT JOIN pg_type AS elemtyp ON elemtyp.oid = elemtypoid
        LEFT JOIN pg_class AS elemcls ON (elemcls.oid = elemtyp.typrelid)
        LEFT JOIN pg_proc AS elemproc ON elemproc.oid = elemtyp.typreceive) AS t
  JOIN pg_namespace AS ns ON (ns.oid = typnamespace)
WHERE (typtype IN ('b', 'r', 'm', 'e', 'd') OR (typtype = 'c' AND relkind = 'c') OR (typtype = 'p' AND typname IN ('record', 'void', 'unknown')))
ORDER BY ns.nspname, t.oid;
--@ Npgsql, composite types | start
SELECT typ.oid, att.attname, att.atttypid FROM pg_type AS typ JOIN pg_namespace AS ns ON (ns.oid = typ.typnamespace)
JOIN pg_class AS cls ON (cls.oid = typ.typrelid) JOIN pg_attribute AS att ON (att.attrelid = typ.typrelid)
WHERE (typ.typtype = 'c' AND cls.relkind = 'c') AND attnum > 0 AND NOT attisdropped ORDER BY typ.oid, att.attnum;
--@ Npgsql, back to the pool | start
DISCARD ALL;
--@ Npgsql, back to the pool with its statements kept | start
SET SESSION AUTHORIZATION DEFAULT;RESET ALL;CLOSE ALL;UNLISTEN *;SELECT pg_advisory_unlock_all();DISCARD SEQUENCES;DISCARD TEMP;
--@ Power BI, encoding | start
SELECT character_set_name FROM information_schema.character_sets;
--@ Power BI, navigator | tables
SELECT table_schema, table_name, table_type FROM information_schema.tables
WHERE table_schema NOT IN ('information_schema', 'pg_catalog') ORDER BY table_schema, table_name;
--@ Power BI, columns | columns
SELECT column_name, ordinal_position, is_nullable,
  CASE WHEN (data_type LIKE '%unsigned%') THEN data_type || ' unsigned' ELSE data_type END AS data_type
FROM information_schema.columns WHERE table_schema = 'public' AND table_name = 'pgclone_jobs_view'
ORDER BY table_schema, table_name, ordinal_position;
--@ Power BI, relationships | start
SELECT pkcol.column_name AS pk_column_name, fkcol.table_schema AS fk_table_schema, fkcol.table_name AS fk_table_name, fkcol.column_name AS fk_column_name
FROM (SELECT DISTINCT constraint_catalog, constraint_schema, unique_constraint_schema, constraint_name, unique_constraint_name FROM information_schema.referential_constraints) fkcon
JOIN information_schema.key_column_usage fkcol ON fkcon.constraint_schema = fkcol.constraint_schema AND fkcon.constraint_name = fkcol.constraint_name
JOIN information_schema.key_column_usage pkcol ON fkcon.unique_constraint_schema = pkcol.constraint_schema AND fkcon.unique_constraint_name = pkcol.constraint_name
WHERE pkcol.table_schema = 'public' AND pkcol.table_name = 'pgclone_jobs_view' AND pkcol.ordinal_position = fkcol.ordinal_position;

--@ DBeaver, databases | start
SELECT db.oid, db.* FROM pg_catalog.pg_database db WHERE datallowconn AND NOT datistemplate AND datname = current_database();
--@ DBeaver, session | start
SELECT current_schema(), session_user;
--@ DBeaver, search path | start
SHOW search_path;
--@ DBeaver, schemas | start
SELECT n.oid, n.*, d.description FROM pg_catalog.pg_namespace n
LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = n.oid AND d.objsubid = 0 AND d.classoid = 'pg_namespace'::regclass ORDER BY nspname;
--@ DBeaver, relations of a schema | tables
SELECT c.relname, c.oid, c.*, d.description, pg_catalog.pg_get_expr(c.relpartbound, c.oid) AS partition_expr, pg_catalog.pg_get_partkeydef(c.oid) AS partition_key
FROM pg_catalog.pg_class c
LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = c.oid AND d.objsubid = 0 AND d.classoid = 'pg_class'::regclass
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind NOT IN ('i', 'I', 'c') ORDER BY c.oid;
--@ DBeaver, columns by OID | columns
SELECT a.attname, c.relname, a.*, pg_catalog.pg_get_expr(ad.adbin, ad.adrelid, true) AS def_value, dsc.description, dep.objid
FROM pg_catalog.pg_attribute a
INNER JOIN pg_catalog.pg_class c ON (a.attrelid = c.oid)
LEFT OUTER JOIN pg_catalog.pg_attrdef ad ON (a.attrelid = ad.adrelid AND a.attnum = ad.adnum)
LEFT OUTER JOIN pg_catalog.pg_description dsc ON (c.oid = dsc.objoid AND a.attnum = dsc.objsubid)
LEFT OUTER JOIN pg_depend dep ON dep.refobjid = a.attrelid AND dep.deptype = 'i' AND dep.refobjsubid = a.attnum AND dep.classid = dep.refclassid
WHERE NOT a.attisdropped AND c.relkind NOT IN ('i', 'I', 'c') AND a.attnum > 0
  AND c.oid = (SELECT oid FROM pg_class WHERE relname = 'pgclone_jobs_view' AND relnamespace = 'public'::regnamespace) ORDER BY a.attnum;
--@ DBeaver, source of the view | start
SELECT pg_catalog.pg_get_viewdef(c.oid, true) FROM pg_catalog.pg_class c WHERE c.relname = 'pgclone_jobs_view' AND c.relnamespace = 'public'::regnamespace;
--@ DBeaver, rights | start
SELECT a.attname, a.attacl FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid WHERE c.relname = 'pgclone_jobs_view' AND a.attacl IS NOT NULL;

--@ DataGrip, state of the catalogue | start
SELECT n.oid::bigint AS id, n.nspname AS name, n.xmin AS state_number, d.description, pg_catalog.pg_get_userbyid(n.nspowner) AS "owner"
FROM pg_catalog.pg_namespace n LEFT JOIN pg_catalog.pg_description d ON n.oid = d.objoid ORDER BY CASE WHEN nspname = current_schema() THEN -1::bigint ELSE n.oid::bigint END;
--@ DataGrip, relations | tables
SELECT t.relname AS table_name, t.relkind AS table_kind, t.oid::bigint AS table_id, t.xmin AS table_state_number, false AS table_with_oids, t.reltablespace AS tablespace_id,
  t.reloptions AS options, t.relpersistence AS persistence, (SELECT array_agg(inhparent::bigint ORDER BY inhseqno)::varchar FROM pg_catalog.pg_inherits WHERE t.oid = inhrelid) AS ancestors,
  t.relispartition AS is_partition, pg_catalog.pg_get_userbyid(t.relowner) AS "owner"
FROM pg_catalog.pg_class t WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'm', 'v', 'f', 'p') ORDER BY table_kind, table_id;
--@ DataGrip, columns | columns
WITH t AS (SELECT t.oid AS table_id, t.relname AS table_name FROM pg_catalog.pg_class t WHERE relnamespace = 'public'::regnamespace AND relname = 'pgclone_jobs_view')
SELECT c.attname AS column_name, t.table_id, c.attnum AS column_position, c.xmin AS column_state_number, c.atttypmod AS type_mod, c.attndims AS dimensions_number,
  pg_catalog.format_type(c.atttypid, c.atttypmod) AS type_spec, c.attnotnull AS mandatory, c.attisdropped AS column_is_dropped, c.attidentity AS identity_kind
FROM t INNER JOIN pg_catalog.pg_attribute c ON t.table_id = c.attrelid WHERE attnum > 0 ORDER BY t.table_id, attnum;

--@ pgAdmin, who and where | start
SELECT db.oid AS did, db.datname, db.datallowconn, pg_encoding_to_char(db.encoding) AS serverencoding, has_database_privilege(db.oid, 'CREATE') AS cancreate, datistemplate
FROM pg_catalog.pg_database db WHERE db.datname = current_database();
--@ pgAdmin, settings | start
SET DateStyle=ISO; SET client_min_messages=notice; SELECT set_config('bytea_output','hex',false) FROM pg_show_all_settings() WHERE name = 'bytea_output'; SET client_encoding='UTF-8';
--@ pgAdmin, its role | start
SELECT roles.oid AS id, roles.rolname AS name, roles.rolsuper AS is_superuser, roles.rolcreaterole AS can_create_role, roles.rolcreatedb AS can_create_db
FROM pg_catalog.pg_roles AS roles WHERE rolname = current_user;
--@ pgAdmin, views | tables
SELECT c.relname AS name, c.oid, description AS comment FROM pg_catalog.pg_class c
LEFT OUTER JOIN pg_catalog.pg_description des ON (des.objoid = c.oid AND des.objsubid = 0 AND des.classoid = 'pg_class'::regclass)
WHERE c.relkind = 'v' AND c.relnamespace = 'public'::regnamespace ORDER BY c.relname;
--@ pgAdmin, columns of the view | columns
SELECT DISTINCT ON (att.attnum) att.attname AS name, att.atttypid, att.attnum, format_type(ty.oid, NULL) AS typname, format_type(ty.oid, att.atttypmod) AS displaytypname, tn.nspname AS typnspname
FROM pg_catalog.pg_attribute att JOIN pg_catalog.pg_type ty ON ty.oid = atttypid JOIN pg_catalog.pg_namespace tn ON tn.oid = ty.typnamespace
JOIN pg_catalog.pg_class cl ON cl.oid = att.attrelid JOIN pg_catalog.pg_namespace na ON na.oid = cl.relnamespace
WHERE cl.oid = 'public.pgclone_jobs_view'::regclass AND att.attnum > 0 AND att.attisdropped IS FALSE ORDER BY att.attnum;

--@ Grafana, version | start
SELECT current_setting('server_version_num')::int/100 AS version;
--@ Grafana, extensions | start
SELECT extversion FROM pg_extension WHERE extname = 'timescaledb';
--@ Grafana, tables | tables
SELECT quote_ident(table_name) AS "table" FROM information_schema.tables
WHERE quote_ident(table_schema) NOT IN ('information_schema', 'pg_catalog', '_timescaledb_cache', 'timescaledb_information')
  AND quote_ident(table_schema) IN (SELECT CASE WHEN trim(s[i]) = '"$user"' THEN user ELSE trim(s[i]) END
    FROM generate_series(array_lower(string_to_array(current_setting('search_path'), ','), 1), array_upper(string_to_array(current_setting('search_path'), ','), 1)) AS i,
         string_to_array(current_setting('search_path'), ',') s);
--@ Grafana, columns | columns
SELECT quote_ident(column_name) AS "column", data_type AS "type" FROM information_schema.columns WHERE quote_ident(table_name) = 'pgclone_jobs_view' AND table_schema = 'public' ORDER BY ordinal_position;

--@ Looker, relations | tables
SELECT table_name, table_schema, table_type FROM information_schema.tables WHERE table_schema = 'public' LIMIT 10000;
--@ Looker, time zone | start
SET SESSION TIMEZONE TO 'UTC';
--@ Looker, connection test | start
SELECT count(*) FROM pg_tables WHERE 1 = 0;

--@ Redash, relations with their columns | tables
SELECT c.relname AS table_name, s.nspname AS table_schema, a.attname AS column_name, NULL AS data_type
FROM pg_class c JOIN pg_namespace s ON c.relnamespace = s.oid AND s.nspname NOT IN ('pg_catalog', 'information_schema')
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p') AND has_table_privilege(quote_ident(s.nspname) || '.' || quote_ident(c.relname), 'select')
  AND has_schema_privilege(s.nspname, 'usage')
UNION
SELECT table_name, table_schema, column_name, data_type FROM information_schema.columns WHERE table_schema NOT IN ('pg_catalog', 'information_schema')
ORDER BY 1, 2, 3, 4;
--@ Hex and Mode, columns | columns
SELECT column_name, table_catalog, table_schema, table_name, data_type FROM information_schema.columns
WHERE table_schema NOT IN ('information_schema', 'pg_catalog') AND table_name = 'pgclone_jobs_view' ORDER BY table_schema, table_name, ordinal_position;

--@ psql, which relations look like it? | tables
SELECT c.relname AS "Name", n.nspname AS "Schema", CASE c.relkind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view' END AS "Type", pg_catalog.pg_get_userbyid(c.relowner) AS "Owner"
FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f', '') AND c.relname OPERATOR(pg_catalog.~) '^(pgclone.*)$' COLLATE pg_catalog.default AND pg_catalog.pg_table_is_visible(c.oid) ORDER BY 1, 2;
--@ JDBC (Metabase, DBeaver, Tableau, Looker), getTables | tables
SELECT c.relname AS table_name, current_database() AS table_cat, n.nspname AS table_schem, CASE n.nspname ~ '^pg_' OR n.nspname = 'information_schema'
  WHEN true THEN 'SYSTEM' WHEN false THEN CASE c.relkind WHEN 'r' THEN 'TABLE' WHEN 'v' THEN 'VIEW' ELSE NULL END END AS table_type, d.description AS remarks
FROM pg_catalog.pg_namespace n, pg_catalog.pg_class c
LEFT JOIN pg_catalog.pg_description d ON (c.oid = d.objoid AND d.objsubid = 0 AND d.classoid = 'pg_class'::regclass)
WHERE c.relnamespace = n.oid AND n.nspname LIKE 'public' AND c.relname LIKE 'pgclone\_%' AND (false OR (c.relkind = 'v' AND n.nspname <> 'pg_catalog')) ORDER BY table_type, table_schem, table_name;
