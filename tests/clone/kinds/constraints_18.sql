-- Minimum version: 18.  Constraints that are not enforced; NOT NULL with names, not inherited, not valid.
CREATE SCHEMA constraints_18; SET search_path = constraints_18;
CREATE TABLE t (a int CONSTRAINT needed NOT NULL, b int, CONSTRAINT b_needed NOT NULL b NO INHERIT, CONSTRAINT small CHECK (a < 3) NOT ENFORCED);
INSERT INTO t SELECT i, i FROM generate_series(1, 9) i;
CREATE TABLE not_yet (a int); INSERT INTO not_yet VALUES (NULL);
ALTER TABLE not_yet ADD CONSTRAINT later NOT NULL a NOT VALID;
COMMENT ON CONSTRAINT later ON not_yet IS 'not valid';
CREATE TABLE keyed (id int PRIMARY KEY);
CREATE TABLE loose (id int REFERENCES keyed NOT ENFORCED); INSERT INTO loose VALUES (7);
