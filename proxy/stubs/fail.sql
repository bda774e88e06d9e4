-- Raises the error that the proxy replied.
CREATE OR REPLACE FUNCTION pgclone._fail(error jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $fail$
DECLARE
    sqlstate_ CONSTANT text := error ->> 'sqlstate';
    message_ CONSTANT text := error ->> 'message';
    detail_ CONSTANT text := error ->> 'detail';
    hint_ CONSTANT text := error ->> 'hint';
BEGIN
    -- RAISE takes no NULL, and clients show an empty line as a line.
    IF detail_ <> '' AND hint_ <> '' THEN
        RAISE EXCEPTION USING ERRCODE = sqlstate_, MESSAGE = message_, DETAIL = detail_, HINT = hint_;
    ELSIF detail_ <> '' THEN
        RAISE EXCEPTION USING ERRCODE = sqlstate_, MESSAGE = message_, DETAIL = detail_;
    ELSIF hint_ <> '' THEN
        RAISE EXCEPTION USING ERRCODE = sqlstate_, MESSAGE = message_, HINT = hint_;
    END IF;
    RAISE EXCEPTION USING ERRCODE = sqlstate_, MESSAGE = message_;
END
$fail$;
