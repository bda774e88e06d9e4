--# Arguments of calls: notation, types, NULL, parameters, and what does not fit.
--# Format: see interception.sql.
--@ G001 | both | rows=1 col=pgclone_schema_async type=23 val=101 jobs=+1 | mixed notation
SELECT pgclone_schema_async('c', 'x', options => NULL)
--@ G002 | both | rows=1 col=pgclone_table_async type=23 val=101 jobs=+1 | mixed notation with :=
SELECT pgclone_table_async('c', schema_name := 's', table_name := 't')
--@ G003 | both | rows=1 col=pgclone_table_async type=23 val=101 jobs=+1 | all named, reverse order
SELECT pgclone_table_async(options => NULL, target_table_name => 'x', include_data => false, table_name => 't', schema_name => 's', source_conninfo => 'c')
--@ G004 | both | rows=1 col=pgclone_schema_async type=23 val=101 jobs=+1 | quoted argument names
SELECT pgclone_schema_async("source_conninfo" => 'c', "schema_name" => 'x')
--@ G005 | both | rows=1 col=pgclone_schema_async type=23 val=101 jobs=+1 | argument names fold
SELECT pgclone_schema_async(SOURCE_CONNINFO => 'c', Schema_Name => 'x')
--@ G006 | both | error=42883 pos=8 | a quoted name of another case
SELECT pgclone_schema_async("Source_Conninfo" => 'c', schema_name => 'x')
--@ G007 | both | error=42601 pos=53 | positional behind named
SELECT pgclone_schema_async(source_conninfo => 'c', 'x')
--@ G008 | both | error=42601 pos=38 | a name twice
SELECT pgclone_progress(job_id => 7, job_id => 8)
--@ G009 | both | error=42883 pos=8 | a name that positional has taken
SELECT pgclone_schema_async('c', 'x', schema_name => 'y')
--@ G010 | both | error=42883 pos=8 | a required one missing
SELECT pgclone_schema_async(schema_name => 'x')
--@ G011 | both | error=42883 pos=8 | too many
SELECT pgclone_schema_async('c', 'x', true, NULL, 5)
--@ G012 | both | error=42809 pos=8 differs=refused | VARIADIC
SELECT pgclone_progress(VARIADIC ARRAY[7])
--@ G013 | both | error=42809 pos=8 | DISTINCT
SELECT pgclone_progress(DISTINCT 7)
--@ G014 | both | error=42809 pos=8 | ORDER BY
SELECT pgclone_progress(7 ORDER BY 1)
--@ G015 | both | error=42809 pos=8 | FILTER
SELECT pgclone_progress(7) FILTER (WHERE true)
--@ G016 | both | error=42809 pos=8 | OVER
SELECT pgclone_progress(7) OVER ()
--@ G017 | both | error=42809 pos=8 differs=refused | WITHIN GROUP
SELECT pgclone_progress(7) WITHIN GROUP (ORDER BY 1)
--@ G018 | both | error=42883 pos=8 | star
SELECT pgclone_progress(*)
--@ G019 | both | error=42809 pos=8 | star for none
SELECT pgclone_version(*)
--@ G020 | both | error=42883 pos=8 | too many for none
SELECT pgclone_version(1)
--@ G021 | both | error=42883 pos=8 | numeric constant for int
SELECT pgclone_progress(7.0)
--@ G022 | both | error=42883 pos=8 | bigint constant out of range
SELECT pgclone_progress(99999999999)
--@ G023 | both | rows=1 col=pgclone_progress type=25 differs=cast | a bigint expression
SELECT pgclone_progress(7::bigint)
--@ G024 | both | rows=1 col=pgclone_progress type=25 | a smallint is taken
SELECT pgclone_progress(7::smallint)
--@ G025 | both | rows=1 col=pgclone_progress type=25 differs=cast | text for int
SELECT pgclone_progress('7'::text)
--@ G026 | both | rows=1 type=16 val=t | a literal for int
SELECT pgclone_progress('7') = pgclone_progress(7)
--@ G027 | both | error=22P02 pos=25 | an empty literal for int
SELECT pgclone_progress('')
--@ G028 | both | error=42883 pos=8 | a boolean for int
SELECT pgclone_progress(true)
--@ G029 | both | rows=1 col=pgclone_progress type=25 val=NULL differs=cast | NULL of another type
SELECT pgclone_progress(NULL::text)
--@ G030 | both | rows=1 col=pgclone_progress type=25 val=NULL | NULL
SELECT pgclone_progress(NULL), pgclone_cancel(NULL::int)
--@ G031 | both | rows=1 col=pgclone_schema_async type=23 val=101 jobs=+1 | varchar for text
SELECT pgclone_schema_async('c'::varchar, 'x'::name)
--@ G032 | both | error=42883 pos=8 | an integer for text
SELECT pgclone_schema_async('c', 5)
--@ G033 | both | rows=1 col=pgclone_schema_async type=23 val=101 jobs=+1 | a literal for boolean
SELECT pgclone_schema_async('c', 'x', 'yes')
--@ G034 | both | error=22P02 pos=39 | a bad literal for boolean
SELECT pgclone_schema_async('c', 'x', 'perhaps')
--@ G035 | both | error=42883 pos=8 | an integer for boolean
SELECT pgclone_schema_async('c', 'x', 0)
--@ G036 | both | rows=1 col=pgclone_schema_async type=23 val=101 jobs=+1 differs=cast | jsonb for text
SELECT pgclone_schema_async('c', 'x', true, '{}'::jsonb)
--@ G037 | both | rows=1 type=25 val=8 | a subquery as argument
SELECT pgclone_progress((SELECT max(job_id) FROM pgclone_jobs_view))::json->>'job_id'
--@ G038 | both | rows=1 type=25 val=7 | CASE as argument
SELECT pgclone_progress(CASE WHEN true THEN 7 ELSE 1/0 END)::json->>'job_id'
--@ G039 | both | rows=1 type=25 val=8 | array element as argument
SELECT pgclone_progress((ARRAY[7, 8])[2])::json->>'job_id'
--@ G040 | both | rows=1 type=25 val=7 | nested reads
SELECT pgclone_progress((pgclone_progress((pgclone_progress(7)::json->>'job_id')::int)::json->>'job_id')::int)::json->>'job_id'
--@ G041 | both | rows=1 type=25 val=7 | an operator expression
SELECT pgclone_progress(3 + 4)::json->>'job_id', pgclone_progress(- -7)::json->>'job_id'
--@ G042 | both | rows=2 type=25 val=7 | a column of another table
SELECT pgclone_progress(x)::json->>'job_id' FROM generate_series(7, 8) x ORDER BY 1
--@ G043 | both | rows=2 type=25 val=7 | a window function as argument
SELECT pgclone_progress((6 + row_number() OVER (ORDER BY job_id))::int)::json->>'job_id' FROM pgclone_jobs_view ORDER BY 1
--@ G044 | both | rows=1 type=25 val=7 | an aggregate with FILTER as argument
SELECT pgclone_progress(max(job_id) FILTER (WHERE job_id < 8))::json->>'job_id' FROM pgclone_jobs_view
--@ G045 | both | rows=1 col=pgclone_schema_async type=23 val=101 jobs=+1 | commas, brackets and CASE in arguments
SELECT pgclone_schema_async(concat('c', ''), CASE WHEN (1, 2) = (1, 2) THEN (ARRAY['x,y'])[1] ELSE ')' END, NOT (false OR false), NULL)
--@ G046 | both | rows=1 col=pgclone_schema_async type=23 val=101 jobs=+1 | a whole subquery with commas
SELECT pgclone_schema_async((SELECT 'c'), (SELECT string_agg(x, ',') FROM (VALUES ('a'), ('b')) v(x)))
--@ G047 | both | rows=1 col=pgclone_schema_async type=23 val=101 jobs=+1 | dollar quotes as argument
SELECT pgclone_schema_async($$c$$, $q$a'b)$q$)
--@ G048 | both | rows=1 col=pgclone_schema_async type=23 val=101 jobs=+1 | U& string as argument
SELECT pgclone_schema_async('c', U&'d\0061t\+000061')
--@ G049 | both | rows=1 col=pgclone_schema_async type=23 val=101 jobs=+1 | U& string with UESCAPE as argument
SELECT pgclone_schema_async('c', U&'d!0061t' UESCAPE '!', true)
--@ G050 | both | rows=1 col=pgclone_schema_async type=23 val=101 jobs=+1 | E string as argument
SELECT pgclone_schema_async('c', E'tab\there\'s')
--@ G051 | both | rows=1 col=pgclone_schema_async type=23 val=101 jobs=+1 | adjacent literals
SELECT pgclone_schema_async('c', 'two '
  'parts')
--@ G052 | both | error=42883 pos=8 | a bit string for text
SELECT pgclone_schema_async('c', B'101')
--@ G053 | both | rows=1 col=pgclone_schema_async type=23 val=101 jobs=+1 | hexadecimal and national literals
SELECT pgclone_schema_async('c', N'nat')
--@ G054 | both | rows=1 type=25 val=7 since=16 | integer literals of other bases
SELECT pgclone_progress(0x7)::json->>'job_id', pgclone_progress(0b111)::json->>'job_id', pgclone_progress(0o7)::json->>'job_id'
--@ G055 | both | error=P0002 | a negative number
SELECT pgclone_progress(-7)
--@ G056 | both | rows=2 col=pgclone_progress type=25 val=x | unknown job in a CASE that is not taken
SELECT CASE WHEN job_id > 0 THEN 'x' ELSE pgclone_progress(99) END FROM pgclone_jobs_view
--@ G057 | both | error=P0002 | unknown job among known ones
SELECT pgclone_progress(i) FROM generate_series(7, 9) i
--@ G058 | both | rows=2 type=25 val=7 | unknown job behind LIMIT
SELECT pgclone_progress(i)::json->>'job_id' FROM generate_series(7, 9) i LIMIT 2
--@ G059 | both | error=P0002 | unknown job in a join condition
SELECT 1 FROM generate_series(98, 99) i JOIN pgclone_progress(99) p ON true
--@ G060 | both | error=P0002 | the greatest and the least number
SELECT pgclone_progress(2147483647)
--@ G061 | both | error=P0002 | the least
SELECT pgclone_progress(-2147483648)
--@ G062 | both | error=22003 | out of range at run time
SELECT pgclone_progress(2147483647 + job_id) FROM pgclone_jobs_view
--@ G063 | ext ["7"] | rows=1 type=25 val=7 | typed parameter
SELECT pgclone_progress($1::int)::json->>'job_id'
--@ G064 | ext ["7", "8"] | rows=1 type=25 val=8 | two parameters in either order
SELECT pgclone_progress($2)::json->>'job_id', pgclone_progress($1)::json->>'job_id'
--@ G065 | ext ["7"] | rows=1 type=25 val=7 | one parameter twice
SELECT pgclone_progress($1)::json->>'job_id', $1::int + 1
--@ G066 | ext ["7"] | rows=1 col=pgclone_progress type=25 | one parameter with two types
SELECT pgclone_progress($1), $1::text
--@ G067 | ext ["abc"] | error=22P02 | a parameter that is no number
SELECT pgclone_progress($1)
--@ G068 | ext [null] | rows=1 col=pgclone_progress type=25 val=NULL | a NULL parameter
SELECT pgclone_progress($1)
--@ G069 | ext ["c", "s", "t", "true", null, "{}"] | rows=1 col=pgclone_table_async type=23 val=101 jobs=+1 | all parameters
SELECT pgclone_table_async($1, $2, $3, $4, $5, $6)
--@ G070 | ext ["c", "x"] | rows=1 col=pgclone_schema_async type=23 val=101 jobs=+1 | named parameters
SELECT pgclone_schema_async(schema_name => $2, source_conninfo => $1)
--@ G071 | ext ["7", "5"] | error=42P18 | a hole in the numbers
SELECT pgclone_progress($1), $3::int
--@ G072 | ext ["7"] | rows=1 col=pgclone_progress type=25 differs=cast | a parameter with a type that does not fit
SELECT pgclone_progress($1::text)
--@ G073 | ext ["c", "a", "b"] | rows=2 col=x type=25 val=a jobs=+2 | parameters per row
SELECT x, pgclone_schema_async($1, x) > 0 FROM (VALUES ($2), ($3)) v(x) ORDER BY 1
--@ G074 | ext ["bad"] | error=08001 jobs=+1 | the one that is refused
SELECT pgclone_schema_async($1, 'x')
--@ G075 | ext ["7"] | error=08P01 | too many parameters
SELECT pgclone_progress(7)
--@ G076 | ext [] | error=08P01 | too few parameters
SELECT pgclone_progress($1)
--@ G077 | simple | error=42P02 pos=25 | a parameter in a simple query
SELECT pgclone_progress($1)
--@ G078 | both | error=42883 pos=8 | the flat name in another schema
SELECT pg_catalog.pgclone_progress(7)
--@ G079 | both | error=42883 pos=8 | the short name in the wrong schema
SELECT public.progress(7)
--@ G080 | both | error=3F000 pos=8 differs=absent | the flat name in our schema
SELECT pgclone.pgclone_progress(7)
--@ G081 | both | error=0A000 pos=8 | three parts with another database
SELECT nosuch.public.pgclone_progress(7)
--@ G082 | both | error=42809 pos=9 differs=absent | method-like notation
SELECT (7).pgclone_progress
--@ G083 | both | rows=2 col=status type=25 val=completed | functional notation on a row
SELECT status(v) FROM pgclone_jobs_view v ORDER BY 1
--@ G084 | both | error=42703 pos=8 | attribute notation for a function on a row
SELECT v.pgclone_progress FROM pgclone_jobs_view v
--@ G085 | both | rows=1 type=23 val=-12 | operators with PREFIX position
SELECT -length(pgclone_version()), NOT pgclone_version() IS NULL, @ (-length(pgclone_version()))
