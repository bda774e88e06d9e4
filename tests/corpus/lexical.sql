--# Literals, comments, quoting, encodings; forged settings; names that are the user's own.
--# Format: see interception.sql.
--@ L100 | both | rows=1 type=23 val=1 | names in line comments
SELECT 1 -- pgclone_schema_async('c', 'x')
--@ L101 | both | rows=1 col=pgclone_version type=25 val=pgclone_S_test | names in block comments around calls
/* pgclone_jobs_view */ SELECT /* ( */ pgclone_version /* . */ ( /* ) */ ) /* , */ , 2 -- pgclone_cancel(
--@ L102 | both | rows=1 type=25 val=pgclone_cancel(7) | names in dollar quotes with tags
SELECT $pgclone$pgclone_cancel(7)$pgclone$, pgclone_version() IS NOT NULL
--@ L103 | both | rows=1 type=25 val=pgclone_cancel('7') | names in E strings
SELECT E'pgclone_cancel(\'7\')', E'\\', pgclone_version() IS NOT NULL
--@ L104 | both | rows=1 type=25 val=pgclone_cancel(7) | names in U& strings
SELECT U&'pgclone\005Fcancel(7)'
--@ L105 | both | rows=1 type=23 val=1 | names in quoted identifiers
SELECT 1 AS "pgclone_cancel(7)", "x"."pgclone_jobs_view" FROM (VALUES (1)) x("pgclone_jobs_view")
--@ L106 | both | rows=0 col=pgclone_x type=1560 since=16 | names in bit strings and numbers
SELECT B'1' AS pgclone_x, 0x1 AS pgclone_y WHERE false
--@ L107 | both | rows=1 type=16 val=t | U& identifiers
SELECT U&"\0070gclone_version"() IS NOT NULL, U&"pgclone\005Fprogress"(7) IS NOT NULL
--@ L108 | both | rows=1 col=job_id type=23 val=7 | U& identifiers of the view
SELECT U&"\+00006aob_id" FROM U&"\0070gclone_jobs_view" WHERE U&"\0070gclone_jobs_view".job_id = 7
--@ L109 | both | rows=2 col=status type=25 val=completed | U& identifiers with UESCAPE in a qualified name
SELECT public.U&"!0070gclone_jobs_view" UESCAPE '!' .status FROM public.U&"!0070gclone_jobs_view" UESCAPE '!' ORDER BY 1
--@ L110 | both | error=42601 pos=11 | U& escape that is not valid
SELECT U&"\zzzz", pgclone_version()
--@ L111 | both | error=42P01 pos=15 | quoted with other case is not ours
SELECT * FROM "PGCLONE_JOBS_VIEW"
--@ L112 | both | error=42P01 pos=15 | quoted schema with other case
SELECT * FROM "Public".pgclone_jobs_view
--@ L113 | both | rows=2 type=25 val=pgclone_S_test | doubled quotes in an alias
SELECT pgclone_version() AS "a""b", v."job_id" FROM pgclone_jobs_view "v" ORDER BY 2
--@ L114 | both | rows=1 col=count type=20 val=2 | blanks and comments inside a qualified name
SELECT count(*) FROM public /* x */ . /* y */
 pgclone_jobs_view
--@ L115 | both | rows=2 col=status type=25 val=completed | blanks around dots of a column
SELECT public . pgclone_jobs_view . status FROM public.pgclone_jobs_view ORDER BY 1
--@ L116 | both | rows=1 type=25 val=7 | no blank anywhere
SELECT(pgclone_progress(7)::json)->>'job_id',(SELECT(count(*))FROM"pgclone_jobs_view")
--@ L117 | both | rows=1 type=16 val=t | tabs, form feeds, carriage returns
SELECT	pgclone_version()	IS	NOT	NULL
--@ L118 | both | rows=1 col=pgclone_jobs_view_pgclone_jobs_view_pgclone_jobs_view_pgclone_j type=23 val=1 | a long name is cut by the server
SELECT 1 AS pgclone_jobs_view_pgclone_jobs_view_pgclone_jobs_view_pgclone_jobs_view
--@ L119 | both | rows=1 type=16 val=t | a dollar sign in names
SELECT a$b FROM (SELECT pgclone_version() IS NOT NULL AS a$b) x
--@ L120 | both | rows=1 col=ü type=23 val=7 | names with letters beyond ASCII
SELECT é."ü" FROM (SELECT job_id AS "ü" FROM pgclone_jobs_view WHERE job_id = 7) é
--@ L121 | both | error=42703 pos=40 | error behind letters beyond ASCII
SELECT 'äöü', pgclone_version(), '日本', nosuch FROM pgclone_jobs_view
--@ L122 | both | error=42703 pos=32 | error inside an argument behind such letters
SELECT 'äöü', pgclone_progress(nosuch) FROM pgclone_jobs_view
--@ L123 | both | error=22P02 pos=46 | error in the argument of a second call
SELECT pgclone_progress(7), pgclone_progress('é')
--@ L124 | both | error=42703 pos=45 | emoji
SELECT '😀', pgclone_schema_async('c', '😀'), nosuch
--@ L125 | both | rows=1 type=25 | combining characters
SELECT 'é', pgclone_version() IS NOT NULL
--@ L126 | both | rows=1 type=16 val=t | operators with and without blanks
SELECT-length(pgclone_version())<0, pgclone_version()||'x'||pgclone_version() IS NOT NULL
--@ L127 | both | rows=1 col=count type=20 val=2 | a semicolon at the end
SELECT count(*) FROM pgclone_jobs_view;
--@ L128 | simple | rows=1 col=count type=20 val=2 | many semicolons
;;SELECT count(*) FROM pgclone_jobs_view;;
--@ L129 | both | error=42601 pos=38 | a syntax error behind our name
SELECT * FROM pgclone_jobs_view WHERE
--@ L130 | both | error=42601 pos=24 | a syntax error in a call
SELECT pgclone_version(,)
--@ L131 | both | error=42601 pos=27 | unterminated string
SELECT pgclone_version(), 'x
--@ L132 | both | error=42601 pos=26 | unterminated comment
SELECT pgclone_version() /* x
--@ L133 | both | error=42601 pos=8 | unterminated identifier
SELECT "pgclone_version()
--@ L134 | both | error=42601 pos=8 since=15 | trailing junk behind a number
SELECT 7pgclone_version()
--@ L135 | both | error=42601 pos=25 since=15 | a parameter with junk
SELECT pgclone_progress($1x)
--@ L136.1 | simple | tag=SET tx=I | client encoding by SET NAMES
SET NAMES 'latin1'
--@ L136.2 | both | error=42703 pos=32 tx=I | é in a literal, a call, and an error
SELECT 'é', pgclone_version(), nosuch
--@ L136.3 | both | rows=1 type=16 val=t jobs=+1 tx=I | a character in an argument
SELECT pgclone_schema_async('c', 'é') > 0, 'é'
--@ L137.1 | simple | tag=SET tx=I | by TO, in capitals, quoted
SET CLIENT_ENCODING TO 'EUC_JP'
--@ L137.2 | both | rows=1 type=25 jobs=+1 tx=I | Japanese
SELECT '日本語', pgclone_schema_async('c', '日本') > 0
--@ L137.3 | both | error=42703 pos=34 tx=I | an error behind it
SELECT '日本語', pgclone_version(), nosuch
--@ L138.1 | simple | rows=1 col=set_config type=25 val=WIN1252 tx=I | by set_config
SELECT set_config('client_encoding', 'WIN1252', false)
--@ L138.2 | both | error=42703 pos=21 tx=I | the euro sign
SELECT '€', job_id, nosuch FROM pgclone_jobs_view
--@ L138.3 | both | rows=1 type=25 tx=I | and in a value
SELECT '€' || pgclone_version()
--@ L139.1 | simple | tag=SET tx=I | SJIS
SET client_encoding TO SJIS
--@ L139.2 | both | rows=1 type=25 jobs=+1 tx=I | a trailing byte that is a backslash
SELECT 'ソ能表', pgclone_schema_async('c', 'ソ能表') > 0, '\'
--@ L139.3 | both | error=22P02 pos=30 tx=I | an error behind it
SELECT 'ソ', pgclone_progress('x') , 'ソ'
--@ L139.4 | both | rows=1 type=25 tx=I | a trailing byte that looks like a letter or bracket
SELECT 'ァゼソゾタダチボポマミ', count(*) FROM pgclone_jobs_view
--@ L140.1 | simple | tag=SET tx=I | BIG5
SET client_encoding TO 'BIG5'
--@ L140.2 | both | rows=1 type=25 jobs=+1 tx=I | a trailing backslash
SELECT '功蓋許', pgclone_schema_async('c', '功') > 0
--@ L141.1 | simple | tag=SET tx=I | GBK
SET client_encoding TO 'GBK'
--@ L141.2 | both | error=42703 pos=51 tx=I | Chinese
SELECT '中文', pgclone_schema_async('c', '中文') > 0, nosuch
--@ L142.1 | simple | tag=SET tx=I | GB18030
SET client_encoding TO 'GB18030'
--@ L142.2 | both | rows=1 type=25 tx=I | four bytes
SELECT '中文ß', pgclone_version() IS NOT NULL
--@ L143.1 | simple | tag=SET tx=I | UHC
SET client_encoding TO 'UHC'
--@ L143.2 | both | rows=1 type=25 tx=I | Korean
SELECT '한국어', count(*) FROM pgclone_jobs_view
--@ L144.1 | simple | tag=SET tx=I | JOHAB
SET client_encoding TO 'JOHAB'
--@ L144.2 | both | error=22021 tx=I | Korean
SELECT '한국어', count(*) FROM pgclone_jobs_view
--@ L145.1 | simple | tag=SET tx=I | EUC_KR
SET client_encoding TO 'EUC_KR'
--@ L145.2 | both | rows=1 type=25 tx=I | Korean
SELECT '한국어', count(*) FROM pgclone_jobs_view
--@ L146.1 | simple | tag=SET tx=I | KOI8R
SET client_encoding TO 'KOI8R'
--@ L146.2 | both | error=42703 pos=55 tx=I | Russian
SELECT 'база', pgclone_schema_async('c', 'база') > 0, nosuch
--@ L147.1 | simple | tag=SET tx=I | WIN1251
SET client_encoding TO 'WIN1251'
--@ L147.2 | both | rows=1 type=25 tx=I | Russian
SELECT 'база', count(*) FROM pgclone_jobs_view
--@ L148.1 | simple | tag=SET tx=I | LATIN9
SET client_encoding TO 'LATIN9'
--@ L148.2 | both | rows=1 type=25 tx=I | the euro sign
SELECT '€', count(*) FROM pgclone_jobs_view
--@ L149.1 | simple | tag=SET tx=I | ISO_8859_5
SET client_encoding TO 'ISO_8859_5'
--@ L149.2 | both | rows=1 type=25 tx=I | Russian
SELECT 'база', count(*) FROM pgclone_jobs_view
--@ L150.1 | simple | tag=SET tx=I | SQL_ASCII
SET client_encoding TO 'SQL_ASCII'
--@ L150.2 | both | rows=1 type=25 val=abc tx=I | ASCII only here
SELECT 'abc', count(*) FROM pgclone_jobs_view
--@ L151.1 | simple | tag=SET tx=T | set for a transaction
BEGIN; SET LOCAL client_encoding = 'LATIN1'
--@ L151.2 | both | rows=1 type=25 tx=T | in it
SELECT 'é', count(*) FROM pgclone_jobs_view
--@ L151.3 | simple | tag=ROLLBACK tx=I | and behind it
ROLLBACK
--@ L151.4 | both | rows=1 type=25 tx=I | as before
SELECT 'é日', count(*) FROM pgclone_jobs_view
--@ L152.1 | simple | tag=RESET tx=I | reset
SET client_encoding = 'LATIN1'; RESET client_encoding
--@ L152.2 | both | rows=1 type=25 tx=I | as before
SELECT '日', count(*) FROM pgclone_jobs_view
--@ L153.1 | simple | tag=SET tx=I | an encoding the bar is not in
SET client_encoding = 'LATIN1'
--@ L153.2 | both | rows=1 col=progress_bar type=25 tx=I differs=encoding | the bar in other characters
SELECT progress_bar FROM pgclone_jobs_view WHERE job_id = 8
--@ F001.1 | simple | tag=SET tx=I | forged settings: log
SET pgclone_proxy.log = 'nonsense'
--@ F001.2 | simple | tag=SET tx=I | k
SET pgclone_proxy.k = '[0, "c"]'
--@ F001.3 | simple | tag=SET tx=I | n
SET pgclone_proxy.n = 'x'
--@ F001.4 | both | rows=1 col=pgclone_schema_async type=23 val=101 jobs=+1 tx=I | an action
SELECT pgclone_schema_async('c', 'x')
--@ F001.5 | both | rows=1 col=pgclone_schema_async type=23 val=101 jobs=+2 tx=I | two
SELECT pgclone_schema_async('c', 'x'), pgclone_schema_async('c', 'y')
--@ F001.6 | both | rows=1 type=16 val=t tx=I | a read
SELECT pgclone_progress(7) IS NOT NULL
--@ F001.7 | simple | tag=SET tx=T | in a block
BEGIN; SET LOCAL pgclone_proxy.log = '00000000000000000000000000000000 [0, 7]'
--@ F001.8 | both | rows=1 col=pgclone_cancel type=25 val=OK jobs=+1 tx=T | an action
SELECT pgclone_cancel(7)
--@ F001.9 | simple | tag=COMMIT tx=I | end
COMMIT
--@ F002 | both | error=XX000 differs=refused | the log is changed by the statement itself
SELECT set_config('pgclone_proxy.log', 'nonsense', true), pgclone_cancel(7), set_config('pgclone_proxy.log', 'nonsense', true)
--@ F003 | both | error=XX000 differs=refused | a call is forged: no more than calling it
SELECT pgclone_cancel(7), set_config('pgclone_proxy.log', repeat('0', 32) || ' [5, 7]' || chr(10), true)
--@ F004 | both | error=XX000 differs=refused | forged types
SELECT pgclone_cancel(7), set_config('pgclone_proxy.log', repeat('0', 32) || ' [0, "x"]' || chr(10), true)
--@ F005 | both | error=XX000 differs=refused | a number without bounds
SELECT pgclone_cancel(7), set_config('pgclone_proxy.log', repeat('0', 32) || ' [0, 1' || repeat('0', 400) || ']' || chr(10), true)
--@ F006 | both | rows=1 col=set_config type=25 val=5 jobs=+1 | the counter is changed by the statement itself
SELECT set_config('pgclone_proxy.n', '5', true), pgclone_cancel(7)
--@ F007 | both | rows=1 col=set_config type=25 val=x jobs=+1 | the key is changed by the statement itself
SELECT set_config('pgclone_proxy.k', 'x', true), pgclone_cancel(7), pgclone_progress(7) IS NOT NULL
--@ F008 | both | error=22P02 pos=8 | our marker in an error of the user's
SELECT 'pgclone_nojob_5'::int
--@ F009 | both | error=22P02 pos=8 | our marker in an error of the user's beside a read
SELECT 'pgclone_nojob_5'::int, pgclone_version()
--@ F010 | both | error=42883 pos=8 | a function with the name of our rejection
SELECT pg_catalog.pgclone_proxy_reject()
--@ F012.1 | simple | tag=SAVEPOINT tx=T | a savepoint with the name of our own
BEGIN; SAVEPOINT pgclone_proxy
--@ F012.2 | both | rows=1 col=pgclone_schema_async type=23 val=101 jobs=+1 tx=T | an action
SELECT pgclone_schema_async('c', 'x')
--@ F012.3 | simple | tag=COMMIT tx=I | is still there
ROLLBACK TO SAVEPOINT pgclone_proxy; RELEASE pgclone_proxy; COMMIT
--@ O100.1 | simple | tag=SET tx=I | a user's table in a schema first in the path
CREATE SCHEMA o100; CREATE TABLE o100.pgclone_jobs_view AS SELECT 1 AS mine; SET search_path = o100, public
--@ O100.2 | both | rows=1 col=mine type=23 val=1 tx=I | wins unqualified
SELECT * FROM pgclone_jobs_view
--@ O100.3 | both | rows=1 col=count type=20 val=2 tx=I | the other is ours
SELECT count(*) FROM public.pgclone_jobs_view
--@ O100.4 | both | rows=1 col=count type=20 val=2 tx=I | both in one
SELECT (SELECT count(*) FROM public.pgclone_jobs_view), mine FROM pgclone_jobs_view
--@ O100.5 | both | rows=1 col=mine type=23 val=1 tx=I | a table of its own schema
SELECT mine FROM o100.pgclone_jobs_view
--@ O101.1 | simple | tag=SET tx=I | a user's function first in the path
CREATE SCHEMA o101; CREATE FUNCTION o101.pgclone_progress(int) RETURNS text LANGUAGE sql AS $$SELECT 'mine'$$; SET search_path = o101, public
--@ O101.2 | both | rows=1 col=pgclone_progress type=25 val=mine tx=I | wins unqualified
SELECT pgclone_progress(7)
--@ O101.3 | both | rows=1 type=16 val=t tx=I | the other is ours
SELECT public.pgclone_progress(7) IS NOT NULL AND public.pgclone_progress(7) <> 'mine'
--@ O102.1 | simple | tag=CREATE_S_VIEW tx=I | a temporary view of the name
CREATE TEMP VIEW pgclone_jobs_view AS SELECT 5 AS mine
--@ O102.2 | both | rows=1 col=mine type=23 val=5 tx=I | wins
TABLE pgclone_jobs_view
--@ O102.3 | both | rows=1 col=mine type=23 val=5 tx=I | can be written, if it is a table
SELECT mine, pgclone_version() IS NOT NULL FROM pgclone_jobs_view
--@ O102.4 | simple | tag=CREATE_S_TABLE tx=I | a table of the name can be written
DROP VIEW pg_temp.pgclone_jobs_view; CREATE TEMP TABLE pgclone_jobs_view (a int)
--@ O102.5 | both | tag=INSERT_S_0_S_1 tx=I | INSERT
INSERT INTO pgclone_jobs_view VALUES (1)
--@ O102.6 | both | rows=2 tag=COPY_S_2 tx=I | COPY
COPY pgclone_jobs_view TO STDOUT
--@ O102.7 | both | rows=2 col=a type=23 val=2 tx=I | UPDATE
UPDATE pgclone_jobs_view SET a = 2 RETURNING a
--@ O103 | both | rows=1 col=a type=23 val=1 | CTE of the name in a subquery only
SELECT (WITH pgclone_jobs_view AS (SELECT 1 AS a) SELECT a FROM pgclone_jobs_view), count(*) FROM pgclone_jobs_view
--@ O104 | both | rows=1 col=count type=20 val=2 | CTE seen by later ones only
WITH a AS (SELECT count(*) FROM pgclone_jobs_view), pgclone_jobs_view AS (SELECT 5 AS x), b AS (SELECT x FROM pgclone_jobs_view) SELECT a.count, b.x FROM a, b
--@ O105 | both | rows=1 col=a type=23 val=1 | CTE with the name of a writing statement
WITH pgclone_jobs_view AS (SELECT 1 AS a) SELECT * FROM pgclone_jobs_view, public.pgclone_jobs_view v WHERE v.job_id = 7
--@ O106 | both | rows=1 col=exists type=16 val=t | CTE shadows in sublinks
WITH pgclone_jobs_view AS (SELECT 1 AS a) SELECT EXISTS (SELECT a FROM pgclone_jobs_view), (SELECT max(job_id) FROM pgclone.jobs_view)
--@ O107 | both | rows=3 col=a type=23 val=1 | WITH inside UNION
(WITH pgclone_jobs_view AS (SELECT 1 AS a) SELECT a FROM pgclone_jobs_view) UNION ALL SELECT job_id FROM pgclone_jobs_view ORDER BY 1
--@ O108 | both | error=42P01 pos=55 | WITH of an INSERT
WITH pgclone_jobs_view AS (SELECT 1 AS a) INSERT INTO pgclone_nosuch SELECT a FROM pgclone_jobs_view
--@ O109 | both | rows=1 col=relname type=19 val=pg_class | an alias of the name over another table
SELECT pgclone_jobs_view.relname FROM pg_class pgclone_jobs_view WHERE relname = 'pg_class'
--@ O110 | both | rows=1 col=pgclone_jobs_view type=23 val=1 | a column of the name
SELECT x.pgclone_jobs_view, pgclone_progress FROM (SELECT 1 AS pgclone_jobs_view, 2 AS pgclone_progress) x
