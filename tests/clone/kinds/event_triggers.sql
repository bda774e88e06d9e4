-- Event triggers, enabled or not.  Those of the target would see what a clone does; those of the source do not.
CREATE SCHEMA event_triggers; SET search_path = event_triggers;
CREATE FUNCTION noticed() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN PERFORM 1; END$$;
CREATE FUNCTION refused() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'not while a clone is made'; END$$;
CREATE EVENT TRIGGER event_triggers_watching ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'DROP VIEW') EXECUTE FUNCTION event_triggers.noticed();
CREATE EVENT TRIGGER event_triggers_off ON sql_drop EXECUTE FUNCTION event_triggers.refused();
ALTER EVENT TRIGGER event_triggers_off DISABLE;
CREATE EVENT TRIGGER event_triggers_replica ON table_rewrite EXECUTE FUNCTION event_triggers.noticed();
ALTER EVENT TRIGGER event_triggers_replica ENABLE REPLICA;
ALTER EVENT TRIGGER event_triggers_watching ENABLE ALWAYS;
COMMENT ON EVENT TRIGGER event_triggers_watching IS 'sees every command';
