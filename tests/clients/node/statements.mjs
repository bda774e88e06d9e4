// What both clients are asked, and what is right, in terms of `q(text, values)`, which gives the rows as objects.

import assert from "node:assert/strict";
import { refused, source, suffix, until } from "./checks.mjs";

/** Statements that the server refuses, each for the fields of its error. */
export const ERRORS = [
  "SELEC 1",
  "SELECT 1 / 0",
  "SELECT nosuch FROM items",
  "SELECT 'ü', pgclone_nosuch(1)",
  "SELECT * FROM pgclone_nosuch",
  "INSERT INTO items (id, name) VALUES (1, 'x')",
  "INSERT INTO items (id, name, price) VALUES (501, 'y', -1)",
  "INSERT INTO items (id, name) VALUES (502, NULL)",
  "DO $$BEGIN RAISE 'own' USING ERRCODE = 'ZZ123', DETAIL = 'd', HINT = 'h', SCHEMA = 's', DATATYPE = 't'; END$$",
];

/** Statements of ours that are refused: the SQLSTATE, and a part of message or hint. */
export const REFUSALS = [
  ["SELECT pgclone_progress(999999)", "P0002", /job 999999 not found/],
  ["SELECT 'ü', pgclone_progress()", "42883", /pgclone_progress/, "13"],
  ["SELECT pgclone_table_async('dbname=x', 's', 't', true, NULL, '{\"paralel\": 1}')", "22023", /paralel/],
  ["EXPLAIN ANALYZE SELECT pgclone_clear_jobs()", "0A000", /EXPLAIN ANALYZE/],
  ["DELETE FROM pgclone_jobs_view", "55000", /cannot modify view/],
];

export function assertRefused(error, [statement, sqlstate, words, position]) {
  assert.ok(error.code.startsWith(sqlstate), `${statement}: ${error.code} ${error.message}`);
  assert.match(`${error.message} ${error.hint}`, words);
  if (position) assert.equal(error.position, position);
}

export const START = "SELECT pgclone_table_async($1, $2, $3, true, $4) AS job";
export const PER_ROW = `SELECT tablename, pgclone_table_async($1, schemaname, tablename, true, tablename || $2) AS job
  FROM pg_tables WHERE schemaname = 'sales' AND tablename IN ('customers', 'orders') ORDER BY tablename`;
export const STATUS = "SELECT status, rows_copied::int AS rows FROM pgclone_jobs_view WHERE job_id = $1";

/** `text` with constants in place of $1, $2…. */
export const literally = (text, ...values) =>
  text.replaceAll(/\$(\d)/g, (_, number) => `'${String(values[number - 1]).replaceAll("'", "''")}'`);

/** Wait for the end of a job; it must be `status`. */
export async function ended(q, job, status = "completed") {
  const rows = await until(async () => {
    const found = await q("SELECT * FROM pgclone_jobs_view WHERE job_id = $1", [job]);
    return ["pending", "running"].includes(found[0].status) ? null : found;
  });
  assert.equal(rows[0].status, status, rows[0].error_message);
  return rows[0];
}

/** How many rows a table on the target has. */
export const count = async (q, name) => (await q(`SELECT count(*)::int AS n FROM ${name}`))[0].n;

/** Start a clone of sales.customers and wait for it; its job id. */
export async function cloned(q) {
  const [{ job }] = await q(START, [source, "sales", "customers", `customers${suffix()}`]);
  await ended(q, job);
  return job;
}

/** Completed clones of sales.customers, the same for all checks that only look at them; the first `number` job ids. */
export async function completed(q, number = 1) {
  while (done.length < number) done.push(await cloned(q));
  return done.slice(0, number);
}
const done = [];

/** Start a clone that waits for a lock: `held` is a connection to the source.  The job id and how to let it go on. */
export async function waiting(q, held) {
  await held("BEGIN");
  await held("LOCK TABLE public.held IN ACCESS EXCLUSIVE MODE");
  const [{ job }] = await q(START, [source, "public", "held", `held${suffix()}`]);
  return { job, release: () => held("ROLLBACK") };
}

/** Let `ask` wait for a clone that a lock holds up, `cancel` it, and see that both the statement and the job end. */
export async function interrupted(q, held, ask, cancel) {
  await held("BEGIN");
  await held("LOCK TABLE public.held IN ACCESS EXCLUSIVE MODE");
  const values = [source, `held${suffix()}`];
  const answer = refused(ask("SELECT pgclone_table($1, 'public', 'held', true, $2)", values));
  const look = "SELECT job_id FROM pgclone_jobs_view WHERE status = 'running' AND table_name = 'held'";
  const [{ job_id: job }] = await until(async () => {
    const found = await q(look);
    return found.length && found;
  });
  await cancel();
  assert.equal((await answer).code, "57014");
  await ended(q, job, "cancelled");
  await held("ROLLBACK");
}

/** Execute one prepared statement while its job waits, goes on and ends: `look(text, values)` prepares at most once. */
export async function followed(q, held, look) {
  const { job, release } = await waiting(q, held);
  const seen = [];
  const status = async () => {
    const [{ status: now, rows }] = await look(STATUS, [job]);
    if (seen.at(-1) !== now) seen.push(now);
    return { now, rows };
  };
  await until(async () => (await status()).now === "running");
  for (let use = 0; use < 10; use += 1) assert.deepEqual(await status(), { now: "running", rows: 0 });
  await release();
  const last = await until(async () => {
    const found = await status();
    return found.now === "running" ? null : found;
  });
  assert.deepEqual(last, { now: "completed", rows: 500 });
  assert.deepEqual(seen.slice(-2), ["running", "completed"]);
}

/** What the view is to look like, for comparison with what a client makes of it. */
export const SHAPE = `SELECT NULL::int AS job_id, NULL::text AS status, NULL::text AS op_type,
  NULL::text AS schema_name, NULL::text AS table_name, NULL::text AS current_phase, NULL::text AS current_table,
  NULL::int8 AS tables_total,
  NULL::int8 AS tables_completed, NULL::int8 AS rows_copied, NULL::int8 AS bytes_copied, NULL::int8 AS elapsed_ms,
  NULL::timestamptz AS start_time, NULL::timestamptz AS end_time, NULL::text AS error_message,
  NULL::float8 AS pct_complete, NULL::text AS progress_bar, NULL::text AS elapsed_time,
  NULL::text AS owner, NULL::text AS database, NULL::int8 AS rows_total, NULL::int8 AS bytes_total,
  NULL::float8 AS rows_per_second, NULL::timestamptz AS eta`;
