-- What is cloned: wide and narrow tables, large values, many small tables, and something of most kinds of objects.
-- Deterministic.  :scale multiplies the rows of the large tables.
SET synchronous_commit = off;
SET client_min_messages = error;
CREATE SCHEMA trade;
SET search_path = trade;

CREATE SEQUENCE voucher START 100 INCREMENT 3;
SELECT setval('voucher', 4711);

CREATE TYPE channel AS ENUM ('shop', 'web', 'phone');

CREATE TABLE parties (
  id int PRIMARY KEY, email text NOT NULL UNIQUE, name varchar(60) NOT NULL, region char(2) NOT NULL DEFAULT 'ZZ',
  since date NOT NULL
);
INSERT INTO parties
SELECT g, format('p%s@example.org', g), 'Party ' || left(md5(g::text), 14), (ARRAY['AT', 'BE', 'CL', 'DK', 'EE'])[1 + g % 5],
  date '2012-05-01' + g % 4000
FROM generate_series(1, (200000 * :scale)::int) g;

-- Wide, of many types.
CREATE TABLE deals (
  id bigint NOT NULL, party int NOT NULL, total numeric(12, 2) NOT NULL, made timestamptz NOT NULL DEFAULT now(), remark text,
  details jsonb, token uuid NOT NULL, settled boolean NOT NULL DEFAULT false, sent timestamptz, way channel
);
INSERT INTO deals
SELECT g, 1 + (g::bigint * 7907) % (200000 * :scale)::int, (g::bigint * 41 % 8888888) / 100.0,
  timestamptz '2019-03-01 UTC' + g * interval '59.5 seconds',
  CASE WHEN g % 89 = 0 THEN E'tab\there, back\\slash,\nnewline' ELSE 'deal ' || md5(g::text) END,
  jsonb_build_object('n', g % 500, 'mark', left(md5((g::bigint * 5)::text), 8), 'even', g % 2 = 0),
  md5('t' || g)::uuid, g % 3 = 0, CASE WHEN g % 4 > 0 THEN timestamptz '2019-03-02 UTC' + g * interval '1 minute' END,
  (enum_range(NULL::channel))[1 + g % 3]
FROM generate_series(1, (2000000 * :scale)::int) g;

-- Narrow.
CREATE TABLE lines (id int NOT NULL, deal bigint NOT NULL, pieces int NOT NULL, price numeric(10, 2) NOT NULL);
INSERT INTO lines
SELECT g, 1 + (g::bigint * 29) % (2000000 * :scale)::int, 1 + g % 9, (g::bigint * 17 % 99999) / 100.0
FROM generate_series(1, (5000000 * :scale)::int) g;

-- Large values that do not compress: 10 kB of text and 10 kB of bytes in each row.
CREATE TABLE papers (id int PRIMARY KEY, title text NOT NULL, body text, scan bytea);
INSERT INTO papers
SELECT p, 'paper ' || p,
  translate(encode(string_agg(sha512(format('b %s %s', p, k)::bytea), '' ORDER BY k) FILTER (WHERE k <= 120), 'base64'), E'\n', ''),
  string_agg(sha512(format('s %s %s', p, k)::bytea), '' ORDER BY k)
FROM generate_series(1, (20000 * :scale)::int) p, generate_series(1, 160) k
GROUP BY p;

DO $$
BEGIN
  FOR n IN 1..60 LOOP
    EXECUTE format('CREATE TABLE minor_%s (id serial PRIMARY KEY, code int NOT NULL, label text, at timestamp)', n);
    EXECUTE format('INSERT INTO minor_%s (code, label, at)
      SELECT g %% 40, md5(g::text), timestamp ''2023-01-01'' + g * interval ''5 min'' FROM generate_series(1, 1000) g', n);
    EXECUTE format('CREATE INDEX ON minor_%s (code)', n);
    IF n % 5 = 0 THEN
      EXECUTE format('ALTER TABLE minor_%s ADD FOREIGN KEY (id) REFERENCES minor_%s', n, n - 1);
    END IF;
  END LOOP;
END $$;

ALTER TABLE deals ADD PRIMARY KEY (id), ADD CHECK (total >= 0);
CREATE INDEX ON deals (party);
CREATE INDEX ON deals (made DESC) WHERE settled;
CREATE INDEX ON deals USING hash (token);
ALTER TABLE lines ADD PRIMARY KEY (id);
ALTER TABLE deals ADD FOREIGN KEY (party) REFERENCES parties;
ALTER TABLE lines ADD FOREIGN KEY (deal) REFERENCES deals ON DELETE CASCADE;

CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.settled AND NEW.sent IS NULL THEN NEW.sent := now(); END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER deals_stamp BEFORE UPDATE ON deals FOR EACH ROW EXECUTE FUNCTION stamp();
CREATE FUNCTION worth(bigint) RETURNS numeric LANGUAGE sql STABLE AS
  'SELECT sum(pieces * price) FROM trade.lines WHERE deal = $1';
CREATE VIEW settled_deals AS SELECT d.id, d.total, p.email FROM deals d JOIN parties p ON p.id = d.party WHERE d.settled;
CREATE MATERIALIZED VIEW turnover AS
  SELECT p.region, count(*) AS deals, sum(d.total) AS total FROM deals d JOIN parties p ON p.id = d.party GROUP BY 1;
CREATE UNIQUE INDEX ON turnover (region);
RESET search_path;
VACUUM (ANALYZE);
