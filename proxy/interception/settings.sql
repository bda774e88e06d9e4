-- The settings of a connection on which replies to stubs are written, whatever the role's own are.
SET ROLE NONE;
SELECT pg_catalog.set_config(s.name, wanted.setting, false)
FROM pg_catalog.pg_settings s
JOIN (VALUES ('search_path', ''),
             ('default_transaction_read_only', 'off'),
             ('default_transaction_isolation', 'read committed'),
             -- A reply is worth nothing after a crash.
             ('synchronous_commit', 'off'),
             ('statement_timeout', '0'),
             ('transaction_timeout', '0'),
             ('idle_session_timeout', '0')) AS wanted(name, setting) ON wanted.name = s.name;
