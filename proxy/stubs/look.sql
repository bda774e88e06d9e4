-- What the proxy has left under a number by now; NULL if nothing, or nothing any more.
-- plain: READ COMMITTED, where each look has a snapshot of its own.  In the other isolation levels only a large object
-- that is opened for writing is read as it is now.
CREATE OR REPLACE FUNCTION pgclone._look(number oid, plain boolean) RETURNS bytea
LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $look$
DECLARE
    descriptor integer;
    size integer;
    content bytea;
BEGIN
    IF plain THEN
        RETURN lo_get(number);
    END IF;
    descriptor := lo_open(number, x'60000'::integer);
    size := lo_lseek(descriptor, 0, 2);
    PERFORM lo_lseek(descriptor, 0, 0);
    content := loread(descriptor, size);
    PERFORM lo_close(descriptor);
    RETURN content;
EXCEPTION
    WHEN undefined_object THEN
        RETURN NULL;
    WHEN insufficient_privilege THEN
        RAISE insufficient_privilege USING
            MESSAGE = 'pgclone: the reply of pgclone-proxy is for the role only that the session has logged in with',
            HINT = 'RESET SESSION AUTHORIZATION and call again.';
END
$look$;
