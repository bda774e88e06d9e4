-- Says something to the proxy that this session goes through.  Messages of severity INFO are sent at once, whatever
-- client_min_messages is.  What is said stands in a field that neither the server's log nor a client shows.
CREATE OR REPLACE FUNCTION pgclone._say(message jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $say$
BEGIN
    RAISE INFO USING
        ERRCODE = 'PGCAL',
        MESSAGE = 'pgclone: asking pgclone-proxy',
        -- Base64, so that no client_encoding can be in its way.
        DATATYPE = encode(convert_to(message::text, 'UTF8'), 'base64');
END
$say$;
