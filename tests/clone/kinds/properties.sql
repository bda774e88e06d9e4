-- Settings of the database and of roles in it, its comment, privileges and connection limit.
CREATE SCHEMA properties;
DO $$ DECLARE d text := quote_ident(current_database()); BEGIN
  EXECUTE format('COMMENT ON DATABASE %s IS %L', d, 'it''s a comment');
  EXECUTE format('ALTER DATABASE %s SET search_path = "Odd one", public', d);
  EXECUTE format('ALTER DATABASE %s SET my.setting = %L', d, 'it''s');
  EXECUTE format('ALTER ROLE kinds_reader IN DATABASE %s SET work_mem = ''1MB''', d);
  EXECUTE format('ALTER DATABASE %s CONNECTION LIMIT 90', d);
  EXECUTE format('GRANT TEMP ON DATABASE %s TO kinds_reader', d);
END $$;
