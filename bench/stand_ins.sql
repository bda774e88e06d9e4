-- What stands in for ours where no proxy is: the same names with the same data.
CREATE TABLE pgclone_jobs_view (
    job_id integer PRIMARY KEY, status text, op_type text, schema_name text, table_name text, current_phase text,
    current_table text, tables_total bigint, tables_completed bigint, rows_copied bigint, bytes_copied bigint,
    elapsed_ms bigint, start_time timestamptz, end_time timestamptz, error_message text, pct_complete double precision,
    progress_bar text, elapsed_time text, owner text, database text, rows_total bigint, bytes_total bigint,
    rows_per_second double precision, eta timestamptz);
CREATE TABLE progress (job_id integer PRIMARY KEY, progress text);
CREATE TABLE jobs (jobs text);
CREATE SEQUENCE job_ids;
CREATE FUNCTION pgclone_progress(job_id integer) RETURNS text
    LANGUAGE sql STABLE STRICT AS 'SELECT p.progress FROM progress p WHERE p.job_id = $1';
CREATE FUNCTION pgclone_jobs() RETURNS text LANGUAGE sql STABLE AS 'SELECT jobs FROM jobs';
CREATE FUNCTION pgclone_cancel(job_id integer) RETURNS text LANGUAGE plpgsql AS $$BEGIN RETURN 'cancelled'; END$$;
CREATE FUNCTION pgclone_schema_async(source_conninfo text, schema_name text, include_data boolean DEFAULT true,
                                     options text DEFAULT NULL) RETURNS integer
    LANGUAGE plpgsql AS $$BEGIN RETURN nextval('job_ids'); END$$;
