-- Names that are data: quotes, newlines, reserved words, percent signs, 63 bytes, only case apart.
CREATE SCHEMA "App %s {} ""x"".y";
SET search_path = "App %s {} ""x"".y";
CREATE TYPE "select" AS ENUM ('a''b', 'c"d', E'e\nf');
CREATE TABLE "Table" (id int PRIMARY KEY, "from" "select", "a""b" text DEFAULT '%s', "new
line" int, "ünï%(x)s" int CHECK ("ünï%(x)s" > 0), "{0}" int, "tab	" int, "a;b" int, "a.b" int, "\d" int, "--" int, "$$" int);
CREATE TABLE "table" (id serial PRIMARY KEY, "ID" int GENERATED ALWAYS AS IDENTITY);
CREATE TABLE table_ (id int REFERENCES "table" ON UPDATE SET NULL);
CREATE TABLE "quote""d" ("pri""mary" serial PRIMARY KEY, self int CONSTRAINT "fk""" REFERENCES "quote""d");
CREATE TABLE "sch.name" (id int UNIQUE);
CREATE TABLE "new
line" (id int, "--" text); CREATE INDEX "in
dex" ON "new
line" ("--", id);
CREATE TABLE abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabc (id serial PRIMARY KEY, long_long_long_long_column_name_here int UNIQUE);
CREATE TABLE abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabd (id serial PRIMARY KEY);
CREATE TABLE "ééééééééééééééééééééééééééééééé" (id serial PRIMARY KEY);
INSERT INTO "Table" VALUES (1, 'a''b', E'\\.', 2, 3, 4, 5, 6, 7, 8, 9, 10), (2, E'e\nf', NULL, 2, 3, 4, 5, 6, 7, 8, 9, 10);
INSERT INTO "table" DEFAULT VALUES; INSERT INTO "table" DEFAULT VALUES;
INSERT INTO table_ VALUES (1), (2);
INSERT INTO "quote""d" (self) VALUES (NULL), (1);
INSERT INTO abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabc (long_long_long_long_column_name_here) VALUES (1), (2);
INSERT INTO "ééééééééééééééééééééééééééééééé" DEFAULT VALUES;
COMMENT ON COLUMN "Table"."a""b" IS E'back\\slash and ''quote''';
CREATE VIEW "View" AS SELECT "from", "a;b" FROM "Table";
CREATE FUNCTION "Fun""c"("in" "select") RETURNS SETOF "Table" LANGUAGE plpgsql AS 'BEGIN END';
CREATE FUNCTION "tr%g"() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER "T%" BEFORE UPDATE OF "a;b", "--" ON "Table" FOR EACH ROW EXECUTE FUNCTION "tr%g"('%s', 'a''b');
CREATE POLICY "P%" ON "sch.name" USING (id > 0);
CREATE RULE "R{}" AS ON DELETE TO "sch.name" DO INSTEAD NOTHING;
CREATE MATERIALIZED VIEW "Mat""view" AS SELECT * FROM "View";
CREATE SEQUENCE "se'q"; SELECT nextval('"se''q"');
CREATE SEQUENCE "se\q"; SELECT setval('"se\q"', 5);
