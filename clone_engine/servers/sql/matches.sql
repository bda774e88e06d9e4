-- The names that a regular expression matches as a whole.  The expression is also tried alone: "a)|(b" is none.
-- $1 array of names, $2 the expression.  psql: \bind '{orders,log_1}' 'log_.*' \g
SELECT name
FROM unnest($1::text[]) AS name
WHERE (name ~ $2::text) IS NOT NULL AND name ~ ('^(?:' || $2::text || ')$');
