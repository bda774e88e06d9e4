-- Left out: SUBSCRIPTION.  A second one would use, and in the end drop, the replication slot of the first.
CREATE SCHEMA subscriptions;
CREATE TABLE subscriptions.t (id int PRIMARY KEY); INSERT INTO subscriptions.t SELECT generate_series(1, 9);
CREATE SUBSCRIPTION subscriptions_one CONNECTION 'dbname=nowhere' PUBLICATION p WITH (connect = false, slot_name = NONE);
COMMENT ON SUBSCRIPTION subscriptions_one IS 'stays where it is';
