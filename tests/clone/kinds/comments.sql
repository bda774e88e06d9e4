-- Comments that are hard to quote, and of what no other case comments on.
CREATE SCHEMA comments; COMMENT ON SCHEMA comments IS E'it''s; \\ "two"\nlines -- no /* comment'; COMMENT ON SCHEMA public IS 'not the usual words';
CREATE TABLE comments.t ("a;b" int); COMMENT ON TABLE comments.t IS '$$'; COMMENT ON COLUMN comments.t."a;b" IS E'\\.'; INSERT INTO comments.t VALUES (1);
