-- What tables, and all objects of whole schemas, need outside of themselves, however indirectly: types, routines,
-- operators, operator classes, collations, text search objects, sequences and relations, by kind, schema and name;
-- routines and operators with their input types, operator classes and families with their access method.
-- What belongs to an extension comes with its name; the extension itself with the schema that must be there for it.
-- $1 schemas and $2 tables, pairwise; $3 schemas taken in whole but for their tables; $4 schemas whose routines are;
-- $5 $6 $7 $8 whether there will be indexes, constraints, triggers, materialized views; $9 columns that are left out.
-- psql: \bind '{sales}' '{orders}' '{}' '{}' t t t t '{}' \g
WITH RECURSIVE relation(oid) AS (
    SELECT c.oid
    FROM unnest($1::text[], $2::text[]) AS given(schema, name)
    JOIN pg_catalog.pg_namespace n ON n.nspname = given.schema
    JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = given.name
    UNION ALL
    SELECT c.oid
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = ANY ($3::text[]) AND (c.relkind = 'v' OR c.relkind = 'm' AND $8::boolean)
), part(classid, objid) AS (
    SELECT 'pg_catalog.pg_attrdef'::regclass, d.oid
    FROM relation r JOIN pg_catalog.pg_attrdef d ON d.adrelid = r.oid
    UNION ALL
    SELECT 'pg_catalog.pg_constraint'::regclass, k.oid
    FROM relation r JOIN pg_catalog.pg_constraint k ON k.conrelid = r.oid
    WHERE $6::boolean AND k.contype <> 'f'
    UNION ALL
    SELECT 'pg_catalog.pg_class'::regclass, i.indexrelid
    FROM relation r JOIN pg_catalog.pg_index i ON i.indrelid = r.oid
    LEFT JOIN pg_catalog.pg_constraint k ON k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x')
    WHERE CASE WHEN k.oid IS NULL THEN $5::boolean ELSE $6::boolean END
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a
                      WHERE a.attrelid = r.oid AND a.attnum = ANY (i.indkey::smallint[]) AND a.attname = ANY ($9::text[]))
    UNION ALL
    SELECT 'pg_catalog.pg_trigger'::regclass, t.oid
    FROM relation r JOIN pg_catalog.pg_trigger t ON t.tgrelid = r.oid
    WHERE $7::boolean AND NOT t.tgisinternal
    UNION ALL
    SELECT 'pg_catalog.pg_rewrite'::regclass, w.oid FROM relation r JOIN pg_catalog.pg_rewrite w ON w.ev_class = r.oid
    UNION ALL
    SELECT 'pg_catalog.pg_policy'::regclass, p.oid FROM relation r JOIN pg_catalog.pg_policy p ON p.polrelid = r.oid
    UNION ALL
    SELECT 'pg_catalog.pg_statistic_ext'::regclass, s.oid
    FROM relation r JOIN pg_catalog.pg_statistic_ext s ON s.stxrelid = r.oid
), root(classid, objid) AS (
    SELECT 'pg_catalog.pg_class'::regclass::oid, oid FROM relation
    UNION ALL
    SELECT p.classid, p.objid
    FROM part p
    WHERE NOT EXISTS (SELECT
                      FROM pg_catalog.pg_depend d
                      JOIN relation r ON r.oid = d.refobjid
                      JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
                      WHERE d.classid = p.classid AND d.objid = p.objid
                        AND d.refclassid = 'pg_catalog.pg_class'::regclass AND a.attname = ANY ($9::text[]))
    UNION ALL
    SELECT o.classid, o.objid
    FROM (
        SELECT 'pg_catalog.pg_type'::regclass AS classid, t.oid AS objid, t.typnamespace AS namespace
        FROM pg_catalog.pg_type t LEFT JOIN pg_catalog.pg_class c ON c.oid = t.typrelid
        WHERE t.typrelid = 0 OR c.relkind = 'c'
        UNION ALL SELECT 'pg_catalog.pg_operator'::regclass, oid, oprnamespace FROM pg_catalog.pg_operator
        UNION ALL SELECT 'pg_catalog.pg_opclass'::regclass, oid, opcnamespace FROM pg_catalog.pg_opclass
        UNION ALL SELECT 'pg_catalog.pg_opfamily'::regclass, oid, opfnamespace FROM pg_catalog.pg_opfamily
        UNION ALL SELECT 'pg_catalog.pg_conversion'::regclass, oid, connamespace FROM pg_catalog.pg_conversion
        UNION ALL SELECT 'pg_catalog.pg_ts_parser'::regclass, oid, prsnamespace FROM pg_catalog.pg_ts_parser
        UNION ALL SELECT 'pg_catalog.pg_ts_template'::regclass, oid, tmplnamespace FROM pg_catalog.pg_ts_template
        UNION ALL SELECT 'pg_catalog.pg_ts_dict'::regclass, oid, dictnamespace FROM pg_catalog.pg_ts_dict
        UNION ALL SELECT 'pg_catalog.pg_ts_config'::regclass, oid, cfgnamespace FROM pg_catalog.pg_ts_config
    ) AS o
    JOIN pg_catalog.pg_namespace n ON n.oid = o.namespace
    WHERE n.nspname = ANY ($3::text[])
    UNION ALL
    SELECT 'pg_catalog.pg_proc'::regclass, p.oid
    FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname = ANY ($4::text[])
    UNION ALL
    SELECT 'pg_catalog.pg_extension'::regclass, x.oid
    FROM pg_catalog.pg_extension x JOIN pg_catalog.pg_namespace n ON n.oid = x.extnamespace
    WHERE n.nspname = ANY ($3::text[])
), needed(classid, objid) AS (
    SELECT classid, objid FROM root
    UNION
    SELECT e.classid, e.objid
    FROM needed n
    LEFT JOIN pg_catalog.pg_class c ON n.classid = 'pg_catalog.pg_class'::regclass AND c.oid = n.objid
    LEFT JOIN relation r ON r.oid = c.oid
    LEFT JOIN pg_catalog.pg_depend x ON x.classid = n.classid AND x.objid = n.objid AND x.deptype = 'e'
    CROSS JOIN LATERAL (
        SELECT x.refclassid, x.refobjid
        WHERE x.refobjid IS NOT NULL
        UNION ALL
        -- Objects of initdb are everywhere, indexes come with their tables.
        SELECT d.refclassid, d.refobjid
        FROM pg_catalog.pg_depend d
        LEFT JOIN pg_catalog.pg_class i
               ON d.refclassid = 'pg_catalog.pg_class'::regclass AND i.oid = d.refobjid AND i.relkind IN ('i', 'I', 't')
        LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid AND a.attnum = d.objsubid AND a.attname = ANY ($9::text[])
        WHERE x.refobjid IS NULL
          AND d.classid = n.classid AND d.objid = n.objid AND d.deptype IN ('n', 'a', 'i') AND d.refobjid >= 16384
          AND d.refclassid <> ALL (ARRAY['pg_catalog.pg_namespace', 'pg_catalog.pg_constraint']::regclass[])
          AND i.oid IS NULL AND a.attrelid IS NULL
        UNION ALL
        SELECT 'pg_catalog.pg_class'::regclass, t.typrelid
        FROM pg_catalog.pg_type t JOIN pg_catalog.pg_class k ON k.oid = t.typrelid AND k.relkind = 'c'
        WHERE n.classid = 'pg_catalog.pg_type'::regclass AND t.oid = n.objid AND x.refobjid IS NULL
        UNION ALL
        SELECT 'pg_catalog.pg_constraint'::regclass, k.oid
        FROM pg_catalog.pg_constraint k
        WHERE n.classid = 'pg_catalog.pg_type'::regclass AND k.contypid = n.objid AND x.refobjid IS NULL
        UNION ALL
        SELECT 'pg_catalog.pg_amop'::regclass, o.oid
        FROM pg_catalog.pg_amop o
        WHERE n.classid = 'pg_catalog.pg_opfamily'::regclass AND o.amopfamily = n.objid AND x.refobjid IS NULL
        UNION ALL
        SELECT 'pg_catalog.pg_amproc'::regclass, p.oid
        FROM pg_catalog.pg_amproc p
        WHERE n.classid = 'pg_catalog.pg_opfamily'::regclass AND p.amprocfamily = n.objid AND x.refobjid IS NULL
    ) AS e(classid, objid)
    -- Tables and views that are not cloned, and sequences, are named only.
    WHERE c.oid IS NULL OR c.relkind IN ('c', 'i', 'I') OR r.oid IS NOT NULL
), named AS (
    SELECT 'pg_catalog.pg_type'::regclass AS classid, t.oid AS objid, 'type' AS kind, t.typnamespace AS namespace,
           t.typname AS name, '' AS types
    FROM pg_catalog.pg_type t LEFT JOIN pg_catalog.pg_class c ON c.oid = t.typrelid
    -- Array, row and multirange types come with others.
    WHERE (t.typrelid = 0 OR c.relkind = 'c') AND t.typtype <> 'm'
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_type e WHERE e.typarray = t.oid)
    UNION ALL
    SELECT 'pg_catalog.pg_proc'::regclass, p.oid, 'routine', p.pronamespace, p.proname,
           coalesce((SELECT pg_catalog.string_agg(pg_catalog.format_type(a.type, NULL), ', ' ORDER BY a.place)
                     FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY AS a(type, place)), '')
    FROM pg_catalog.pg_proc p
    UNION ALL
    SELECT 'pg_catalog.pg_operator'::regclass, o.oid, 'operator', o.oprnamespace, o.oprname,
           CASE o.oprleft WHEN 0 THEN 'NONE' ELSE pg_catalog.format_type(o.oprleft, NULL) END || ', '
           || pg_catalog.format_type(o.oprright, NULL)
    FROM pg_catalog.pg_operator o
    UNION ALL
    SELECT 'pg_catalog.pg_opclass'::regclass, c.oid, 'operator class', c.opcnamespace, c.opcname, m.amname
    FROM pg_catalog.pg_opclass c JOIN pg_catalog.pg_am m ON m.oid = c.opcmethod
    UNION ALL
    SELECT 'pg_catalog.pg_opfamily'::regclass, f.oid, 'operator family', f.opfnamespace, f.opfname, m.amname
    FROM pg_catalog.pg_opfamily f JOIN pg_catalog.pg_am m ON m.oid = f.opfmethod
    UNION ALL
    SELECT 'pg_catalog.pg_collation'::regclass, oid, 'collation', collnamespace, collname, '' FROM pg_catalog.pg_collation
    UNION ALL
    SELECT 'pg_catalog.pg_ts_parser'::regclass, oid, 'text search parser', prsnamespace, prsname, ''
    FROM pg_catalog.pg_ts_parser
    UNION ALL
    SELECT 'pg_catalog.pg_ts_dict'::regclass, oid, 'text search dictionary', dictnamespace, dictname, ''
    FROM pg_catalog.pg_ts_dict
    UNION ALL
    SELECT 'pg_catalog.pg_ts_template'::regclass, oid, 'text search template', tmplnamespace, tmplname, ''
    FROM pg_catalog.pg_ts_template
    UNION ALL
    SELECT 'pg_catalog.pg_ts_config'::regclass, oid, 'text search configuration', cfgnamespace, cfgname, ''
    FROM pg_catalog.pg_ts_config
    UNION ALL
    SELECT 'pg_catalog.pg_class'::regclass, oid, CASE relkind WHEN 'S' THEN 'sequence' ELSE 'relation' END,
           relnamespace, relname, ''
    FROM pg_catalog.pg_class
    WHERE relkind IN ('r', 'p', 'f', 'v', 'm', 'S')
    UNION ALL
    SELECT 'pg_catalog.pg_extension'::regclass, oid, 'extension', extnamespace, extname, '' FROM pg_catalog.pg_extension
)
SELECT o.kind, o.name, o.types,
       CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_depend d
                         WHERE d.classid = 'pg_catalog.pg_namespace'::regclass AND d.objid = s.oid AND d.deptype = 'e')
            THEN '' ELSE s.nspname END AS schema,
       coalesce(x.extname, '') AS extension
FROM needed n
JOIN named o ON o.classid = n.classid AND o.objid = n.objid
JOIN pg_catalog.pg_namespace s ON s.oid = o.namespace
LEFT JOIN root r ON r.classid = n.classid AND r.objid = n.objid
LEFT JOIN pg_catalog.pg_depend e ON e.classid = n.classid AND e.objid = n.objid AND e.deptype = 'e'
LEFT JOIN pg_catalog.pg_extension x ON x.oid = e.refobjid
WHERE o.kind = 'extension'
   OR x.oid IS NOT NULL
   OR r.objid IS NULL
      AND s.nspname <> ALL ($3::text[] || $4::text[])
      -- Sequences of the tables' own columns come with those.
      AND NOT (o.kind = 'sequence'
               AND EXISTS (SELECT
                           FROM pg_catalog.pg_depend d JOIN relation t ON t.oid = d.refobjid
                           WHERE d.classid = n.classid AND d.objid = n.objid AND d.deptype IN ('a', 'i')
                             AND d.refclassid = 'pg_catalog.pg_class'::regclass))
ORDER BY 1, 2, 3, 4, 5;
