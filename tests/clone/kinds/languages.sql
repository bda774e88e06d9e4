-- Procedural languages, and functions in them.
CREATE SCHEMA languages; SET search_path = languages;
CREATE FUNCTION handler() RETURNS language_handler LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_call_handler';
CREATE FUNCTION inline(internal) RETURNS void LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_inline_handler';
CREATE FUNCTION validator(oid) RETURNS void LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_validator';
CREATE TRUSTED LANGUAGE languages_mine HANDLER languages.handler INLINE languages.inline VALIDATOR languages.validator;
CREATE FUNCTION in_it() RETURNS int LANGUAGE languages_mine AS 'BEGIN RETURN 1; END';
COMMENT ON LANGUAGE languages_mine IS 'a language'; REVOKE USAGE ON LANGUAGE languages_mine FROM PUBLIC;
