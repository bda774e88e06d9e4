-- One large table, of :rows rows.  Nothing is random: two sources made from this are the same.
CREATE SCHEMA trade;
CREATE TABLE trade.ledger (
    id bigint NOT NULL,
    account int NOT NULL,
    amount int NOT NULL,
    kind int NOT NULL,
    booked timestamptz NOT NULL,
    note text NOT NULL
);
INSERT INTO trade.ledger
SELECT i, i * 7919 % 50021, i * 104729 % 1000003 - 500000, i % 12,
       timestamptz '2020-01-01 00:00:00+00' + i * interval '17 seconds',
       md5(i::text) || ' ' || md5((i * 31)::text) || ' booked by ' || i % 97
FROM generate_series(1, :rows::bigint) AS i;
ALTER TABLE trade.ledger ADD PRIMARY KEY (id);
VACUUM (ANALYZE) trade.ledger;
