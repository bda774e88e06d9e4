-- The first transaction that had not ended when the snapshot was taken.
SELECT pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot())::text::bigint AS horizon;
