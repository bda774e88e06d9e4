-- Hands a call to the proxy that this session goes through, waits for its reply, and gives that: a value, or rows.
-- The reply is a large object that only the role can read that the session has logged in with; it begins with a secret.
-- An action is not sent before the secret is there, and goes with it: so its arguments reach no client that is not
-- behind a proxy, and code that another role has smuggled into the session does nothing in this one's name.
-- action: the proxy does something for it, so that a secret is needed · writes: which a read-only transaction may not ask.
CREATE OR REPLACE FUNCTION pgclone._call(function text, action boolean, writes boolean, arguments jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $call$
DECLARE
    called CONSTANT text := format('pgclone_%s()', function);
    plain CONSTANT boolean := current_setting('transaction_isolation') LIKE 'read %';
    read_only CONSTANT boolean := current_setting('transaction_read_only')::boolean;
    role CONSTANT text := current_setting('role');
    other_role CONSTANT boolean := current_user <> session_user;
    secret_length CONSTANT integer := 16;
    number oid;
    content bytea;
    reply jsonb;
    remark jsonb;
    pause double precision := 0.001;
    since timestamptz := clock_timestamp();
BEGIN
    IF writes AND read_only THEN
        RAISE read_only_sql_transaction USING
            MESSAGE = format('cannot execute %s in a read-only transaction', called);
    ELSIF read_only AND NOT plain AND current_setting('server_version_num')::integer >= 160000 THEN
        RAISE feature_not_supported USING
            MESSAGE = format('%s cannot be called on the server in a read-only transaction that is %s',
                             called, current_setting('transaction_isolation')),
            DETAIL = 'The reply of pgclone-proxy could not be seen in such a transaction.',
            HINT = 'Use READ COMMITTED or READ WRITE, or name the function in the statement that the client sends.';
    END IF;
    IF other_role THEN
        BEGIN
            PERFORM set_config('role', 'none', true);
        EXCEPTION WHEN insufficient_privilege THEN
            RAISE feature_not_supported USING
                MESSAGE = format('%s cannot be called by code that runs as another role than the session', called),
                DETAIL = format('It runs as "%s", as a SECURITY DEFINER function does, and the session as "%s".',
                                current_user, session_user),
                HINT = 'Call it from a SECURITY INVOKER function, or directly.';
        END;
    END IF;
    LOOP
        number := greatest(('x' || left(gen_random_uuid()::text, 8))::bit(32)::bigint, 16384)::oid;
        EXIT WHEN NOT EXISTS (SELECT FROM pg_largeobject_metadata WHERE oid = number);
    END LOOP;

    IF action THEN
        PERFORM pgclone._say(jsonb_build_object('number', number::bigint));
    ELSE
        PERFORM pgclone._say(jsonb_build_object('number', number::bigint, 'function', function, 'arguments', arguments));
    END IF;
    LOOP
        content := pgclone._look(number, plain);
        EXIT WHEN content IS NOT NULL;
        IF clock_timestamp() > since + interval '5 seconds' THEN
            RAISE feature_not_supported USING
                MESSAGE = 'pgclone functions are answered by pgclone-proxy, which does not answer here',
                DETAIL = 'This connection may not go through the proxy.',
                HINT = 'Connect to the port of pgclone-proxy in place of the server''s own.';
        END IF;
        PERFORM pg_sleep(pause);
        pause := least(pause * 1.5, 0.05);
    END LOOP;

    IF action THEN
        PERFORM pgclone._say(jsonb_build_object('number', number::bigint, 'secret', encode(content, 'hex'),
                                                'function', function, 'arguments', arguments));
        pause := 0.001;
        since := clock_timestamp();
    END IF;
    WHILE length(content) = secret_length LOOP
        IF clock_timestamp() > since + interval '2 seconds' THEN
            -- Nothing to say; but where the proxy is gone this ends the session, for which nobody waits any more.
            PERFORM pgclone._say('{}');
            since := clock_timestamp();
        END IF;
        PERFORM pg_sleep(pause);
        pause := least(pause * 1.5, 0.05);
        content := pgclone._look(number, plain);
        IF content IS NULL THEN
            RAISE query_canceled USING MESSAGE = format('%s was given up by pgclone-proxy', called);
        END IF;
    END LOOP;

    IF other_role THEN
        PERFORM set_config('role', role, true);
    END IF;
    reply := convert_from(substr(content, secret_length + 1), 'UTF8');
    FOR remark IN SELECT jsonb_array_elements(reply -> 'remarks') LOOP
        IF remark ->> 'severity' = 'WARNING' THEN
            RAISE WARNING USING MESSAGE = remark ->> 'text', ERRCODE = remark ->> 'sqlstate';
        ELSE
            RAISE NOTICE '%', remark ->> 'text';
        END IF;
    END LOOP;
    IF reply ? 'error' THEN
        PERFORM pgclone._fail(reply -> 'error');
    END IF;
    RETURN reply -> 'value';
END
$call$;
