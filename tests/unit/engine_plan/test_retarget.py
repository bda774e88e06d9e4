"""Statements under other names: every place that names the table, and no other."""

from __future__ import annotations

import pytest

from clone_engine.ddl.definitions import parse_dump, parse_statement
from clone_engine.ddl.naming import belongings, naming
from clone_engine.ddl.retarget import mentions, retargeted
from clone_engine.records.request import CloneRequest

DUMP = """
CREATE TABLE app.t (id integer NOT NULL, CONSTRAINT t_check CHECK (id > 0), CONSTRAINT other CHECK (id < 9));
CREATE SEQUENCE app.t_id_seq;
ALTER SEQUENCE app.t_id_seq OWNED BY app.t.id;
ALTER TABLE app.t ALTER COLUMN x ADD GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME app.odd START WITH 1);
ALTER TABLE ONLY app.t ADD CONSTRAINT t_pkey PRIMARY KEY (id);
ALTER TABLE ONLY app.t ADD CONSTRAINT t_key PRIMARY KEY (a);
ALTER TABLE ONLY app.t ADD CONSTRAINT uniq UNIQUE (id);
CREATE INDEX by_id ON app.t USING btree (id);
CREATE STATISTICS app.st ON a, b FROM app.t;
"""
CASES = [
    ("CREATE TABLE app.t (id integer)", "CREATE TABLE app.n (id integer)"),
    (
        "ALTER TABLE ONLY app.t ALTER COLUMN id SET DEFAULT nextval('app.t_id_seq'::regclass)",
        """ALTER TABLE ONLY app.n ALTER COLUMN id SET DEFAULT nextval('"app"."n_id_seq"'::regclass)""",
    ),
    ("ALTER SEQUENCE app.t_id_seq OWNED BY app.t.id", "ALTER SEQUENCE app.n_id_seq OWNED BY app.n.id"),
    (
        "ALTER TABLE app.t ALTER COLUMN x ADD GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME app.odd START WITH 1)",
        "ALTER TABLE app.n ALTER COLUMN x ADD GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME app.n_odd START WITH 1)",
    ),
    ("ALTER TABLE app.t ADD CONSTRAINT t_key UNIQUE (a)", "ALTER TABLE app.n ADD CONSTRAINT n_key UNIQUE (a)"),
    ("ALTER TABLE app.t ADD CONSTRAINT uniq UNIQUE (id)", "ALTER TABLE app.n ADD CONSTRAINT n_uniq UNIQUE (id)"),
    (
        "ALTER TABLE app.t ADD CONSTRAINT t_key UNIQUE USING INDEX t_key",
        "ALTER TABLE app.n ADD CONSTRAINT n_key UNIQUE USING INDEX n_key",
    ),
    ("CREATE INDEX by_id ON app.t USING btree (id)", "CREATE INDEX n_by_id ON app.n USING btree (id)"),
    (
        "CREATE UNIQUE INDEX by_id ON app.t USING btree (id, lower(x)) INCLUDE (y) NULLS NOT DISTINCT"
        " WITH (fillfactor='70', deduplicate_items=off) WHERE (id > 0)",
        "CREATE UNIQUE INDEX n_by_id ON app.n (id, lower(x)) INCLUDE (y) NULLS NOT DISTINCT"
        " WITH (fillfactor = '70', deduplicate_items = off) WHERE id > 0",
    ),
    (
        "CREATE INDEX by_id ON ONLY app.t USING gin (x public.ops (siglen='32'), y) WITH (fastupdate=off)",
        "CREATE INDEX n_by_id ON ONLY app.n USING gin (x public.ops (siglen = '32'), y) WITH (fastupdate = off)",
    ),
    ("ALTER TABLE app.t CLUSTER ON t_pkey", "ALTER TABLE app.n CLUSTER ON n_pkey"),
    ("ALTER TABLE app.t REPLICA IDENTITY USING INDEX by_id", "ALTER TABLE app.n REPLICA IDENTITY USING INDEX n_by_id"),
    ("CREATE STATISTICS app.st ON a, b FROM app.t", "CREATE STATISTICS app.n_st ON a, b FROM app.n"),
    ("COMMENT ON TABLE app.t IS 't'", "COMMENT ON TABLE app.n IS 't'"),
    ("COMMENT ON COLUMN app.t.id IS 't'", "COMMENT ON COLUMN app.n.id IS 't'"),
    ("COMMENT ON CONSTRAINT t_check ON app.t IS 't'", "COMMENT ON CONSTRAINT n_check ON app.n IS 't'"),
    ("COMMENT ON CONSTRAINT other ON app.t IS 't'", "COMMENT ON CONSTRAINT other ON app.n IS 't'"),
    ("COMMENT ON INDEX app.by_id IS 't'", "COMMENT ON INDEX app.n_by_id IS 't'"),
    ("COMMENT ON TRIGGER t ON app.t IS 't'", "COMMENT ON TRIGGER t ON app.n IS 't'"),
    ("GRANT SELECT ON TABLE app.t TO t", "GRANT SELECT ON TABLE app.n TO t"),
    ("ALTER TABLE app.t OWNER TO t", "ALTER TABLE app.n OWNER TO t"),
    (
        "CREATE TRIGGER t BEFORE UPDATE ON app.t FOR EACH ROW WHEN (old.t IS NOT NULL) EXECUTE FUNCTION app.t('app.t')",
        "CREATE TRIGGER t BEFORE UPDATE ON app.n FOR EACH ROW WHEN (old.t IS NOT NULL) EXECUTE FUNCTION app.t('app.t')",
    ),
    (
        "CREATE POLICY t ON app.t USING (EXISTS (SELECT 1 FROM app.o WHERE o.id = t.id AND o.t = 't.id'))",
        "CREATE POLICY t ON app.n USING (EXISTS (SELECT 1 FROM app.o WHERE o.id = n.id AND o.t = 't.id'))",
    ),
    (
        "CREATE RULE t AS ON DELETE TO app.t DO INSTEAD INSERT INTO app.t (t) SELECT t.t FROM app.o t",
        "CREATE RULE t AS ON DELETE TO app.n DO INSTEAD INSERT INTO app.n (t) SELECT t.t FROM app.o t",
    ),
    (
        "ALTER TABLE ONLY app.t ADD CONSTRAINT t_fk FOREIGN KEY (t) REFERENCES app.t(id)",
        "ALTER TABLE ONLY app.n ADD CONSTRAINT t_fk FOREIGN KEY (t) REFERENCES app.n(id)",
    ),
    (
        "CREATE FUNCTION app.f(x app.t[]) RETURNS SETOF app.t BEGIN ATOMIC SELECT t.id FROM app.t; END",
        "CREATE FUNCTION app.f(x app.n[]) RETURNS SETOF app.n BEGIN ATOMIC SELECT n.id FROM app.n; END",
    ),
    (
        "CREATE INDEX x ON app.t (a COLLATE app.c text_ops DESC NULLS LAST, (a || 'b') COLLATE \"C\" ASC)",
        "CREATE INDEX x ON app.n (a COLLATE app.c text_ops DESC NULLS LAST, (a || 'b') COLLATE \"C\" ASC)",
    ),
    (
        "CREATE TABLE app.t (a text) PARTITION BY RANGE (a COLLATE app.c app.o, (a || 'b') COLLATE app.c)",
        "CREATE TABLE app.n (a text) PARTITION BY RANGE (a COLLATE app.c app.o, (a || 'b') COLLATE app.c)",
    ),
    ("ALTER TABLE app.t ENABLE ALWAYS RULE r", "ALTER TABLE app.n ENABLE ALWAYS RULE r"),
    (
        "ALTER FOREIGN TABLE ONLY app.t ALTER COLUMN a OPTIONS (column_name 'A')",
        "ALTER TABLE ONLY app.n ALTER COLUMN a OPTIONS (column_name 'A')",
    ),
]  # fmt: skip
UNCHANGED = [
    "CREATE TABLE other.t (t text, id app.e DEFAULT 't'::app.e)",
    "CREATE FUNCTION app.t(t text) RETURNS text LANGUAGE sql AS 'SELECT t FROM app.t'",
    "COMMENT ON TABLE app.tt IS 'app.t'",
    "ALTER   TABLE app.u  OWNER TO t",
]


@pytest.mark.parametrize(("before", "after"), CASES)
def test_another_table_name(before: str, after: str) -> None:
    names = naming(belongings(parse_dump(DUMP)), CloneRequest("table", "app", "t", "n"))
    assert parse_statement(retargeted(parse_statement(before), names.final).sql).node == parse_statement(after).node


@pytest.mark.parametrize("sql", UNCHANGED)
def test_a_statement_that_names_nothing_of_it_keeps_its_text(sql: str) -> None:
    names = naming(belongings(parse_dump(DUMP)), CloneRequest("table", "app", "t", "n"))
    assert retargeted(parse_statement(sql), names.final).sql == sql


def test_a_schema_clone_renames_nothing() -> None:
    names = naming(belongings(parse_dump(DUMP)), CloneRequest("schema", "app"))
    assert all(retargeted(ddl, names.final) is ddl for ddl in parse_dump(DUMP))


def test_while_it_is_built_in_a_staging_schema() -> None:
    names = naming(belongings(parse_dump(DUMP)), CloneRequest("schema", "app"), "pgclone_job_1")
    ddl = parse_statement("CREATE TABLE app.x (a app.t, b app.e DEFAULT app.f('app.t_id_seq'::regclass))")
    built = """CREATE TABLE app.x (a pgclone_job_1.t, b app.e DEFAULT app.f('"pgclone_job_1"."t_id_seq"'::regclass))"""
    assert retargeted(ddl, names.build).node == parse_statement(built).node
    assert retargeted(ddl, names.final) is ddl


def test_mentions() -> None:
    ddl = parse_statement(
        "CREATE VIEW app.v AS SELECT 'app.\"S\"'::regclass, x::app.e[] FROM app.a JOIN (SELECT 1 FROM b.c) s ON true"
    )
    named = {str(name) for name in mentions(ddl.node)}
    assert {"app.S", "app.e", "app.a", "b.c", "app.v"} <= named
