-- Types, routines and the like of some names, with what tells two of the same name apart: the labels of an enum, the
-- attributes of a composite type, what a domain or a range is of, the body of a routine; '' where nothing is compared.
-- $1 schemas and $2 names, pairwise.  psql: \bind '{sales}' '{status}' \g
WITH given AS (
    SELECT DISTINCT n.oid AS namespace, given.schema, given.name
    FROM unnest($1::text[], $2::text[]) AS given(schema, name)
    JOIN pg_catalog.pg_namespace n ON n.nspname = given.schema
)
SELECT 'type' AS kind, g.schema, g.name, '' AS types,
       CASE t.typtype
       WHEN 'e' THEN (SELECT pg_catalog.string_agg(pg_catalog.quote_literal(l.enumlabel), ', ' ORDER BY l.enumsortorder)
                      FROM pg_catalog.pg_enum l WHERE l.enumtypid = t.oid)
       WHEN 'c' THEN (SELECT pg_catalog.string_agg(pg_catalog.format('%I %s', a.attname,
                                                                    pg_catalog.format_type(a.atttypid, a.atttypmod)),
                                                   ', ' ORDER BY a.attnum)
                      FROM pg_catalog.pg_attribute a
                      WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped)
       WHEN 'd' THEN pg_catalog.format_type(t.typbasetype, t.typtypmod)
                     || CASE WHEN t.typnotnull THEN ' NOT NULL' ELSE '' END
                     || coalesce((SELECT pg_catalog.string_agg(' ' || pg_catalog.pg_get_constraintdef(k.oid), ''
                                                               ORDER BY pg_catalog.pg_get_constraintdef(k.oid))
                                  FROM pg_catalog.pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c'), '')
       WHEN 'r' THEN (SELECT pg_catalog.format_type(r.rngsubtype, NULL) FROM pg_catalog.pg_range r WHERE r.rngtypid = t.oid)
       END AS shape
FROM given g JOIN pg_catalog.pg_type t ON t.typnamespace = g.namespace AND t.typname = g.name
UNION ALL
SELECT 'routine', g.schema, g.name,
       coalesce((SELECT pg_catalog.string_agg(pg_catalog.format_type(a.type, NULL), ', ' ORDER BY a.place)
                 FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY AS a(type, place)), ''),
       p.prosrc
FROM given g JOIN pg_catalog.pg_proc p ON p.pronamespace = g.namespace AND p.proname = g.name
UNION ALL
SELECT 'operator', g.schema, g.name,
       CASE o.oprleft WHEN 0 THEN 'NONE' ELSE pg_catalog.format_type(o.oprleft, NULL) END || ', '
       || pg_catalog.format_type(o.oprright, NULL), ''
FROM given g JOIN pg_catalog.pg_operator o ON o.oprnamespace = g.namespace AND o.oprname = g.name
UNION ALL
SELECT 'operator class', g.schema, g.name, m.amname, ''
FROM given g JOIN pg_catalog.pg_opclass c ON c.opcnamespace = g.namespace AND c.opcname = g.name
JOIN pg_catalog.pg_am m ON m.oid = c.opcmethod
UNION ALL
SELECT 'operator family', g.schema, g.name, m.amname, ''
FROM given g JOIN pg_catalog.pg_opfamily f ON f.opfnamespace = g.namespace AND f.opfname = g.name
JOIN pg_catalog.pg_am m ON m.oid = f.opfmethod
UNION ALL
SELECT 'collation', g.schema, g.name, '', ''
FROM given g JOIN pg_catalog.pg_collation c ON c.collnamespace = g.namespace AND c.collname = g.name
UNION ALL
SELECT 'text search parser', g.schema, g.name, '', ''
FROM given g JOIN pg_catalog.pg_ts_parser p ON p.prsnamespace = g.namespace AND p.prsname = g.name
UNION ALL
SELECT 'text search dictionary', g.schema, g.name, '', ''
FROM given g JOIN pg_catalog.pg_ts_dict d ON d.dictnamespace = g.namespace AND d.dictname = g.name
UNION ALL
SELECT 'text search template', g.schema, g.name, '', ''
FROM given g JOIN pg_catalog.pg_ts_template t ON t.tmplnamespace = g.namespace AND t.tmplname = g.name
UNION ALL
SELECT 'text search configuration', g.schema, g.name, '', ''
FROM given g JOIN pg_catalog.pg_ts_config c ON c.cfgnamespace = g.namespace AND c.cfgname = g.name
UNION ALL
SELECT CASE c.relkind WHEN 'S' THEN 'sequence' ELSE 'relation' END, g.schema, g.name, '', ''
FROM given g JOIN pg_catalog.pg_class c ON c.relnamespace = g.namespace AND c.relname = g.name
WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S');
