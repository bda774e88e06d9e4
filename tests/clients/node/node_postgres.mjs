// node-postgres with pg-cursor and pg-query-stream: its ways to ask, each direct and through the proxy, and for ours.

import assert from "node:assert/strict";
import pg from "pg";
import Cursor from "pg-cursor";
import QueryStream from "pg-query-stream";
import { ours, refused, run, same, source, suffix, until } from "./checks.mjs";
import * as our from "./statements.mjs";

const ITEMS = "SELECT * FROM items ORDER BY id";

/** All that a result says, as plain data. */
function told(result) {
  if (Array.isArray(result)) return result.map(told);
  const { command, rowCount, rows, fields } = result;
  return { command, rowCount, rows, fields: fields.map((field) => ({ ...field })) };
}

const asker = (client) => async (text, values) => (await client.query(text, values)).rows;

/** As `asker`, by one named statement for each text. */
const named = (client) => async (text, values) => (await client.query({ name: text.slice(0, 40), text, values })).rows;

async function batches(cursor, size) {
  const all = [];
  for (;;) {
    const rows = await cursor.read(size);
    all.push(rows);
    if (rows.length < size) break;
  }
  await cursor.close();
  return all;
}

// --- not ours ------------------------------------------------------------------------------------------------

same("a query without parameters", async (open) => told(await (await open()).query(`${ITEMS} LIMIT 3`)));

same("parameters", async (open) => {
  const client = await open();
  const text = "SELECT id + $1::int AS n, $2::text[] AS a, $3::jsonb AS j, $4::bytea AS b FROM items WHERE id = $1";
  return told(await client.query(text, [7, ["x", null], { k: [1] }, Buffer.from([0, 255])]));
});

same("named statements", async (open) => {
  const client = await open();
  const query = { name: "by id", text: "SELECT * FROM items WHERE id = $1" };
  const found = [];
  for (let id = 1; id <= 8; id += 1) found.push(told(await client.query({ ...query, values: [id] })));
  return found;
});

same("binary results", async (open) => {
  const client = await open({ binary: true });
  const text = "SELECT id, name, made, tags, info, id::int8 AS big, price > 2 AS dear FROM items WHERE id < $1";
  return JSON.stringify(told(await client.query(text, [4]))); // dates come with functions, which differ
});

same("rows as arrays", async (open) => {
  const client = await open();
  return told(await client.query({ text: "SELECT id AS a, name AS a FROM items LIMIT 2", rowMode: "array" }));
});

same("several statements in one query", async (open) => {
  const client = await open();
  const text = `BEGIN; DELETE FROM items WHERE id > 3 RETURNING id; UPDATE items SET price = 1; ${ITEMS}; ROLLBACK`;
  return told(await client.query(text));
});

same("queued queries", async (open) => {
  const client = await open();
  const ids = Array.from({ length: 50 }, (_, id) => id);
  const asked = ids.map((id) => client.query("SELECT name, $1::int AS id FROM items WHERE id = $1", [id]));
  return (await Promise.all(asked)).map(told);
});

same("pipelined queries with an error among them", async (open) => {
  const client = await open({ pipeline: true });
  const numbers = [1, 5, 0, 2, 0, 10];
  const asked = numbers.map((n) => client.query("SELECT 10 / $1::int AS n", [n]));
  const done = await Promise.allSettled(asked);
  return done.map(({ value, reason }) => (value ? told(value) : { message: reason.message, ...reason }));
});

same("the fields of errors", async (open) => {
  const client = await open();
  const found = [];
  for (const statement of our.ERRORS) {
    found.push(await refused(client.query(statement)));
    found.push(await refused(client.query({ text: statement, queryMode: "extended" })));
  }
  return found;
});

same("a failed transaction", async (open) => {
  const client = await open();
  await client.query("BEGIN");
  const errors = [await refused(client.query("SELECT 1 / 0")), await refused(client.query("SELECT 1"))];
  return [...errors, told(await client.query("COMMIT")), told(await client.query("SELECT 1 AS one"))];
});

same("savepoints", async (open) => {
  const client = await open();
  await client.query("BEGIN; INSERT INTO items (id, name) VALUES (500, 'new'); SAVEPOINT s");
  const error = await refused(client.query("INSERT INTO items (id, name) VALUES (500, 'again')"));
  await client.query("ROLLBACK TO s");
  const found = told(await client.query("SELECT name FROM items WHERE id = 500"));
  await client.query("ROLLBACK");
  return [error, found];
});

same("a read-only connection", async (open) => {
  const client = await open({ options: "-c default_transaction_read_only=on" });
  return [await refused(client.query("DELETE FROM items")), told(await client.query("SELECT count(*) FROM items"))];
});

same("a cursor", async (open) => {
  const client = await open();
  return batches(client.query(new Cursor(`SELECT id, name FROM items WHERE id > $1 ORDER BY id`, [10])), 40);
});

same("a cursor closed early", async (open) => {
  const client = await open();
  const cursor = client.query(new Cursor("SELECT generate_series(1, 1000) AS g"));
  const rows = await cursor.read(3);
  await cursor.close();
  return [rows, told(await client.query("SELECT 1 AS one"))];
});

same("a stream", async (open) => {
  const client = await open();
  const text = "SELECT g, repeat('x', 100) FROM generate_series(1, $1::int) g";
  const stream = client.query(new QueryStream(text, [2000], { batchSize: 64 }));
  const rows = [];
  for await (const row of stream) rows.push(row);
  return rows;
});

same("a pool", async (open, url) => {
  const pool = new pg.Pool({ connectionString: url, max: 4 });
  const asked = Array.from({ length: 40 }, (_, n) => pool.query("SELECT $1::int AS n", [n]));
  const found = (await Promise.all(asked)).map(told);
  await pool.end();
  return found;
});

same("notices", async (open) => {
  const client = await open();
  const heard = [];
  client.on("notice", ({ message, severity, code, detail }) => heard.push({ message, severity, code, detail }));
  await client.query("DO $$BEGIN RAISE NOTICE 'pgclone_%', 1; RAISE WARNING 'w' USING DETAIL = 'd'; END$$");
  return heard;
});

same("notifications", async (open) => {
  const client = await open();
  const heard = [];
  client.on("notification", ({ channel, payload }) => heard.push({ channel, payload }));
  await client.query("LISTEN news");
  await client.query("NOTIFY news, 'pgclone_jobs_view'");
  return until(() => heard.length && heard);
});

same("a cancelled query", async (open) => {
  const client = await open();
  const { answer, cancel } = cancellable(client, "SELECT pg_sleep($1)", [60]);
  await sleeping(await open(), client);
  cancel();
  return [await refused(answer), told(await client.query("SELECT 1 AS one"))];
});

same("a statement that takes too long", async (open) => {
  const client = await open({ statement_timeout: 50 });
  return refused(client.query("SELECT pg_sleep($1)", [60]));
});

same("names of ours where they mean nothing", async (open) => {
  const client = await open();
  const text = "SELECT 'pgclone_progress(1)' AS pgclone_progress, $1::text AS v /* pgclone_jobs() */";
  return told(await client.query(text, ["SELECT pgclone_jobs()"]));
});

same("large values", async (open) => {
  const client = await open();
  const [row] = await asker(client)("SELECT md5($1) AS digest, $1 AS same", ["pgclone_".repeat(400_000)]);
  return row;
});

/** Send a query that can be cancelled by a CancelRequest: its answer, and how. */
function cancellable(client, text, values) {
  const query = new pg.Query({ text, values });
  const answer = new Promise((resolve, reject) => {
    query.callback = (error, result) => (error ? reject(error) : resolve(result));
  });
  client.query(query);
  return { answer, cancel: () => new pg.Client({ host: client.host, port: client.port }).cancel(client, query) };
}

/** Wait until `client` sleeps on the server. */
async function sleeping(watcher, client) {
  const look = "SELECT 1 FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'PgSleep'";
  await until(async () => (await watcher.query(look, [client.processID])).rowCount);
}

// --- ours ----------------------------------------------------------------------------------------------------

ours("the view has the types of its columns", async (open) => {
  const client = await open();
  const [view, shape] = [await client.query("SELECT * FROM pgclone_jobs_view LIMIT 0"), await client.query(our.SHAPE)];
  assert.deepEqual(told(view).fields, told(shape).fields);
});

ours("a row of the view", async (open) => {
  const client = await open();
  const q = asker(client);
  const row = await our.ended(q, ...await our.completed(q));
  assert.equal(row.rows_copied, "1000");
  assert.equal(row.pct_complete, 100);
  assert.ok(row.end_time instanceof Date && row.end_time >= row.start_time);
  const [simple] = await q(`SELECT * FROM pgclone_jobs_view WHERE job_id = ${row.job_id}`);
  assert.deepEqual(simple, row);
});

ours("binary results of reads", async (open) => {
  const client = await open({ binary: true });
  const [job] = await our.completed(asker(await open()));
  // The client itself spoils binary bytes above 127, as in the 1000 of rows_copied: it decodes them as UTF-8.
  const text = "SELECT job_id, status, tables_total FROM pgclone_jobs_view WHERE job_id = $1";
  const [row] = await asker(client)(text, [job]);
  assert.deepEqual(row, { job_id: job, status: "completed", tables_total: "1" });
});

ours("reads with constants, with parameters and per row", async (open) => {
  const q = asker(await open());
  const [job, other] = await our.completed(q, 2);
  const status = { status: "completed" };
  const read = "SELECT pgclone_progress($1)::jsonb ->> 'status' AS status";
  assert.deepEqual(await q(read, [job]), [status]);
  assert.deepEqual(await q(our.literally(read, job)), [status]);
  const perRow = `${read.replace("$1", "job_id")} FROM pgclone_jobs_view WHERE job_id = ANY($1)`;
  assert.deepEqual(await q(perRow, [[job, other]]), [status, status]);
  const [{ pgclone_jobs: listed }] = await q("SELECT pgclone_jobs()");
  assert.ok(JSON.parse(listed).some((entry) => entry.job_id === job));
});

ours("actions with constants and with parameters", async (open) => {
  const q = asker(await open());
  const [one, two] = [`one${suffix()}`, `two${suffix()}`];
  const [first] = await q(our.literally(our.START, source, "sales", "orders", one));
  const [second] = await q(our.START, [source, "sales", "orders", two]);
  for (const { job } of [first, second]) await our.ended(q, job);
  assert.deepEqual([await our.count(q, `sales.${one}`), await our.count(q, `sales.${two}`)], [2000, 2000]);
});

ours("actions per row", async (open) => {
  const q = asker(await open());
  for (const values of [[source, suffix()], null]) {
    const end = values?.[1] ?? suffix();
    const rows = await (values ? q(our.PER_ROW, values) : q(our.literally(our.PER_ROW, source, end)));
    assert.deepEqual(rows.map((row) => row.tablename), ["customers", "orders"]);
    for (const { job, tablename } of rows) assert.equal((await our.ended(q, job)).table_name, tablename);
    assert.equal(await our.count(q, `sales.orders${end}`), 2000);
  }
});

ours("an action by a named statement", async (open) => {
  const client = await open();
  const jobs = [];
  for (let use = 0; use < 3; use += 1) {
    const [{ job }] = await named(client)(our.START, [source, "sales", "orders", `named${suffix()}`]);
    jobs.push(job);
  }
  assert.equal(new Set(jobs).size, 3);
  for (const job of jobs) await our.ended(asker(client), job);
});

ours("a named statement while its job goes on", async (open) => {
  const client = await open();
  await our.followed(asker(client), asker(await open({}, source)), named(client));
});

ours("one query text while its job goes on", async (open) => {
  const client = await open();
  await our.followed(asker(client), asker(await open({}, source)), asker(client));
});

ours("a cursor over the view", async (open) => {
  const client = await open();
  const q = asker(client);
  const jobs = await our.completed(q, 3);
  const text = "SELECT job_id FROM pgclone_jobs_view WHERE job_id = ANY($1) ORDER BY 1";
  const read = await batches(client.query(new Cursor(text, [jobs])), 2);
  assert.deepEqual(read, [jobs.slice(0, 2), jobs.slice(2)].map((some) => some.map((job_id) => ({ job_id }))));
});

ours("a cursor over actions", async (open) => {
  const client = await open();
  const end = suffix();
  const read = await batches(client.query(new Cursor(our.PER_ROW, [source, end])), 1);
  assert.deepEqual(read.map((rows) => rows.length), [1, 1, 0]);
  for (const { job } of read.flat()) await our.ended(asker(client), job);
  assert.equal(await our.count(asker(client), `sales.customers${end}`), 1000);
});

ours("a stream over the view", async (open) => {
  const client = await open();
  const [job] = await our.completed(asker(client));
  const found = [];
  const text = "SELECT v.job_id, g FROM pgclone_jobs_view v, generate_series(1, 300) g WHERE v.job_id = $1";
  for await (const row of client.query(new QueryStream(text, [job], { batchSize: 100 }))) found.push(row);
  assert.equal(found.length, 300);
});

ours("queued queries, ours among others", async (open) => amongOthers(await open()));

ours("pipelined queries, ours among others", async (open) => amongOthers(await open({ pipeline: true })));

async function amongOthers(client) {
  const q = asker(client);
  const end = suffix();
  const asked = [
    q("SELECT $1::int AS n", [1]),
    q("SELECT pgclone_version() AS version"),
    q(our.PER_ROW, [source, end]),
    q("SELECT 1 / $1::int", [0]),
    q("SELECT pgclone_progress($1)", [999999]),
    q("SELECT $1::int AS n", [2]),
    q("SELECT count(*)::int AS n FROM pgclone_jobs_view WHERE table_name = $1", ["customers"]),
    q("SELECT $1::int AS n", [3]),
  ];
  const done = await Promise.allSettled(asked);
  const codes = done.map(({ reason }) => reason?.code ?? "ok");
  assert.deepEqual(codes, ["ok", "ok", "ok", "22012", "P0002", "ok", "ok", "ok"]);
  const [one, [{ version }], started, , , two, [{ n: jobs }], three] = done.map(({ value }) => value);
  assert.deepEqual([one, two, three], [[{ n: 1 }], [{ n: 2 }], [{ n: 3 }]]);
  assert.match(version, /pgclone/);
  assert.ok(jobs >= 1);
  for (const { job } of started) await our.ended(q, job);
}

ours("an action in a transaction that is rolled back", async (open) => {
  const client = await open();
  const q = asker(client);
  await q("BEGIN");
  await q("INSERT INTO started VALUES (1)");
  const job = await our.cloned(q);
  await q("ROLLBACK");
  assert.deepEqual(await q("SELECT * FROM started"), []);
  await our.ended(q, job);
});

ours("several statements with an action in one query", async (open) => {
  const client = await open();
  const start = our.literally(our.START, source, "sales", "orders", `orders${suffix()}`);
  const results = await client.query(`SELECT 1 AS one; ${start}; SELECT count(*)::int AS n FROM pgclone_jobs_view`);
  assert.deepEqual(results.map(({ command, rowCount }) => [command, rowCount]), Array(3).fill(["SELECT", 1]));
  const [, { rows: [{ job }] }, { rows: [{ n }] }] = results;
  assert.ok(n >= 1);
  await our.ended(asker(client), job);
});

ours("a read-only connection reads and does not start", async (open) => {
  const q = asker(await open({ options: "-c default_transaction_read_only=on" }));
  assert.equal((await q("SELECT count(*) AS n FROM pgclone_jobs_view")).length, 1);
  const error = await refused(q(our.START, [source, "sales", "orders", "never"]));
  assert.equal(error.code, "25006");
  assert.match(error.message, /pgclone_table_async/);
});

ours("refusals", async (open) => {
  const client = await open();
  for (const refusal of our.REFUSALS) {
    our.assertRefused(await refused(client.query(refusal[0])), refusal);
    our.assertRefused(await refused(client.query({ text: refusal[0], queryMode: "extended" })), refusal);
  }
});

ours("a failed transaction starts nothing", async (open) => {
  const q = asker(await open());
  const before = await our.count(q, "pgclone_jobs_view");
  await q("BEGIN");
  await refused(q("SELECT pgclone_progress(999999)"));
  assert.equal((await refused(q(our.START, [source, "sales", "orders", "never"]))).code, "25P02");
  await q("ROLLBACK");
  assert.equal(await our.count(q, "pgclone_jobs_view"), before);
});

ours("a job is cancelled and resumed", async (open) => {
  const q = asker(await open());
  const { job, release } = await our.waiting(q, asker(await open({}, source)));
  await until(async () => (await q(our.STATUS, [job]))[0].status === "running");
  assert.deepEqual(await q("SELECT pgclone_cancel($1) AS said", [job]), [{ said: "cancelled" }]);
  await our.ended(q, job, "cancelled");
  await release();
  const [{ resumed }] = await q("SELECT pgclone_resume($1) AS resumed", [job]);
  await our.ended(q, resumed);
});

ours("a cancelled query on the view", async (open) => {
  const client = await open();
  const { answer, cancel } = cancellable(client, "SELECT pg_sleep(60), count(*) FROM pgclone_jobs_view");
  await sleeping(await open(), client);
  cancel();
  assert.equal((await refused(answer)).code, "57014");
  assert.equal((await asker(client)("SELECT count(*) AS n FROM pgclone_jobs_view")).length, 1);
});

ours("a clone that is waited for, and one that is cancelled", async (open) => {
  const client = await open();
  const q = asker(client);
  const clone = "SELECT pgclone_table($1, 'sales', 'customers', true, $2) AS said";
  assert.deepEqual(await q(clone, [source, `waited${suffix()}`]), [{ said: "OK" }]);
  let cancel;
  const ask = (text, values) => {
    const asked = cancellable(client, text, values);
    cancel = asked.cancel;
    return asked.answer;
  };
  await our.interrupted(asker(await open()), asker(await open({}, source)), ask, () => cancel());
  assert.deepEqual(await q("SELECT 1 AS one"), [{ one: 1 }]);
});

const connect = async (url, options) => {
  const client = new pg.Client({ connectionString: url, ...options });
  await client.connect();
  return client;
};

await run(connect, (client) => client.end());
