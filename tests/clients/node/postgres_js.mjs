// postgres.js: its ways to ask, each direct and through the proxy, and for ours.
//
// It describes each statement before it binds, keeps prepared statements by text, and sends ahead of the answers.

import assert from "node:assert/strict";
import { pipeline } from "node:stream/promises";
import { Readable } from "node:stream";
import postgres from "postgres";
import { ours, refused, run, same, source, suffix, until } from "./checks.mjs";
import * as our from "./statements.mjs";

/** All that a result says, as plain data; for several statements of each. */
function told(result) {
  if (Array.isArray(result[0]) && result[0].command) return result.map(told);
  const columns = result.columns?.map(({ name, type, table, number }) => ({ name, type, table, number }));
  return { command: result.command, count: result.count, rows: [...result], columns };
}

const asker = (sql) => (text, values) => sql.unsafe(text, values ?? []);

/** As `asker`, by one prepared statement for each text. */
const preparing = (sql) => (text, values) => sql.unsafe(text, values, { prepare: true });

async function text(readable) {
  let all = "";
  for await (const chunk of readable) all += chunk;
  return all;
}

// --- not ours ------------------------------------------------------------------------------------------------

same("a template without parameters", async (open) => told(await (await open())`SELECT * FROM items WHERE id < 4`));

same("parameters of many types", async (open) => {
  const sql = await open();
  const [array, json, bytes] = [["x", null, "ü"], { k: [1, null] }, Buffer.from([0, 255])];
  return told(await sql`SELECT ${7}::int AS n, ${array}::text[] AS a, ${sql.json(json)}::jsonb AS j,
    ${bytes}::bytea AS b, ${new Date(0)}::timestamptz AS t, ${true}::bool AS yes,
    ${null}::int AS nothing, id FROM items WHERE id = ${7}`);
});

same("one template executed often", async (open) => {
  const sql = await open();
  const found = [];
  for (let id = 1; id <= 8; id += 1) found.push(told(await sql`SELECT * FROM items WHERE id = ${id}`));
  const prepared = await sql`SELECT statement FROM pg_prepared_statements WHERE statement LIKE '% items %' ORDER BY 1`;
  return [found, told(prepared)];
});

same("without prepared statements", async (open) => {
  const sql = await open({ prepare: false });
  return Promise.all([1, 2, 3].map(async (id) => told(await sql`SELECT * FROM items WHERE id = ${id}`)));
});

same("built queries", async (open) => {
  const sql = await open();
  const rows = [{ id: 600, name: "a" }, { id: 601, name: "b" }];
  const rollback = new Error("rollback");
  const found = [];
  const done = sql.begin(async (tx) => {
    found.push(told(await tx`INSERT INTO items ${tx(rows, "id", "name")} RETURNING id, name`));
    found.push(told(await tx`UPDATE items SET ${tx({ price: 3 }, "price")}
      WHERE id IN ${tx([600, 1])} RETURNING ${tx("name")}`));
    throw rollback;
  });
  assert.equal(await done.catch((error) => error), rollback);
  return found;
});

same("rows as values and as bytes", async (open) => {
  const sql = await open();
  return [await sql`SELECT id, tags FROM items LIMIT 3`.values(), await sql`SELECT id, tags FROM items LIMIT 3`.raw()];
});

same("a described statement", async (open) => {
  const sql = await open();
  const { string, types, columns } = await sql`SELECT name FROM items WHERE id = ${1} AND name = ${"x"}`.describe();
  return { string, types: [...types], columns: columns.map(({ name, type }) => ({ name, type })) };
});

same("several statements in one query", async (open) => {
  const sql = await open();
  return told(await sql`SELECT 1 AS a; SELECT id, name FROM items WHERE id < 3; SELECT 'x' AS b`.simple());
});

same("queries sent ahead of the answers", async (open) => {
  const sql = await open();
  const ids = Array.from({ length: 60 }, (_, id) => id);
  const ask = (id) => sql`SELECT name, 100 / ${id % 20}::int AS n FROM items WHERE id = ${id}`;
  const done = await Promise.allSettled(ids.map(ask));
  return done.map(({ value, reason }) => (value ? told(value) : reason.code));
});

same("the fields of errors", async (open) => {
  const sql = await open();
  const found = [];
  for (const statement of our.ERRORS) {
    found.push(await refused(sql.unsafe(statement)), await refused(sql.unsafe(statement, [], { prepare: true })));
  }
  return found;
});

same("a transaction with savepoints, sent ahead", async (open) => {
  const sql = await open();
  const found = [];
  const error = await refused(sql.begin("isolation level repeatable read", async (tx) => {
    await tx`INSERT INTO items (id, name) VALUES (${700}, 'new')`;
    const inner = tx.savepoint((sp) => sp`INSERT INTO items (id, name) VALUES (${700}, 'again')`);
    found.push(await refused(inner));
    found.push(told(await tx`SELECT name FROM items WHERE id = ${700}`));
    await Promise.all([tx`SELECT ${1}::int`, tx`SELECT 1 / ${0}::int`, tx`SELECT ${2}::int`]);
  }));
  return [error, found, told(await sql`SELECT 1 AS one`)];
});

same("a read-only transaction", async (open) => {
  const sql = await open();
  const error = await refused(sql.begin("read only", (tx) => tx`DELETE FROM items`));
  return [error, told(await sql`SELECT count(*) FROM items`)];
});

same("a cursor", async (open) => {
  const sql = await open();
  const found = [];
  const query = sql`SELECT id, name FROM items WHERE id > ${10} ORDER BY id`;
  for await (const rows of query.cursor(40)) found.push([...rows]);
  return found;
});

same("a cursor closed early", async (open) => {
  const sql = await open();
  const found = [];
  await sql`SELECT generate_series(1, 1000) AS g`.cursor(3, (rows) => {
    found.push([...rows]);
    return found.length === 2 ? sql.CLOSE : undefined;
  });
  return [found, told(await sql`SELECT 1 AS one`)];
});

same("rows one by one", async (open) => {
  const sql = await open();
  const found = [];
  await sql`SELECT id, name FROM items ORDER BY id`.forEach((row) => found.push(row));
  return found;
});

same("COPY both ways", async (open) => {
  const sql = await open();
  const lines = Array.from({ length: 5000 }, (_, n) => `${n}\tpgclone_progress(${n})\n`);
  const reserved = await sql.reserve();
  await reserved`CREATE TEMP TABLE copied (n int, name text)`;
  await pipeline(Readable.from(lines), await reserved`COPY copied FROM STDIN`.writable());
  const back = await text(await reserved`COPY (SELECT * FROM copied ORDER BY n) TO STDOUT`.readable());
  reserved.release();
  assert.equal(back, lines.join(""));
  return back.length;
});

same("notices and notifications", async (open) => {
  const heard = [];
  const sql = await open({ onnotice: ({ message, code, hint }) => heard.push({ message, code, hint }) });
  await sql`DO $$BEGIN RAISE NOTICE 'pgclone_%', 1 USING HINT = 'h'; END$$`.simple();
  await sql.listen("news", (payload) => heard.push(payload));
  await sql.notify("news", "pgclone_jobs_view");
  return until(() => heard.length === 2 && heard);
});

same("a cancelled query", async (open) => {
  const sql = await open({ max: 2 });
  const query = sql`SELECT pg_sleep(60), ${"cancelled"}::text`;
  query.execute();
  await sleeping(sql);
  query.cancel();
  return [await refused(query), told(await sql`SELECT 1 AS one`)];
});

same("names of ours where they mean nothing", async (open) => {
  const sql = await open();
  const value = "SELECT pgclone_jobs()";
  return told(await sql`SELECT 'pgclone_progress(1)' AS pgclone_progress, ${value}::text /* pgclone_jobs() */`);
});

same("a parameter that is large", async (open) => {
  const value = "pgclone_".repeat(400_000);
  return (await (await open())`SELECT md5(${value}) AS digest, length(${value}) AS n`)[0];
});

/** Wait until a query of this database sleeps on the server. */
async function sleeping(sql) {
  await until(async () => (await sql`SELECT 1 FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event = 'PgSleep'`).length);
}

// --- ours ----------------------------------------------------------------------------------------------------

ours("the view has the types of its columns", async (open) => {
  const sql = await open();
  const plain = ({ columns }) => columns.map(({ name, type, table }) => ({ name, type, table }));
  const shape = plain(await sql.unsafe(our.SHAPE).describe());
  assert.deepEqual(plain(await sql`SELECT * FROM pgclone_jobs_view`.describe()), shape);
  assert.deepEqual(plain(await sql`SELECT * FROM pgclone_progress_detail()`.describe()), shape);
});

ours("a row of the view", async (open) => {
  const sql = await open();
  const row = await our.ended(asker(sql), ...await our.completed(asker(sql)));
  assert.equal(row.rows_copied, "1000");
  assert.equal(row.pct_complete, 100);
  assert.ok(row.end_time instanceof Date && row.end_time >= row.start_time);
  const [simple] = await sql`SELECT * FROM pgclone_jobs_view WHERE job_id = ${sql.unsafe(String(row.job_id))}`.simple();
  assert.deepEqual(simple, row);
});

ours("described statements show the client's parameters only", async (open) => {
  const sql = await open();
  const read = await sql`SELECT status FROM pgclone_jobs_view WHERE job_id = ${1} AND status = ${"x"}`.describe();
  assert.deepEqual([...read.types], [23, 25]);
  const start = await sql.unsafe(our.START).describe();
  assert.deepEqual([[...start.types], start.columns.map(({ type }) => type)], [[25, 25, 25, 25], [23]]);
});

ours("reads with constants, with parameters and per row", async (open) => {
  const sql = await open();
  const [job, other] = await our.completed(asker(sql), 2);
  const status = { status: "completed" };
  const constant = our.literally("SELECT pgclone_progress($1)::jsonb ->> 'status' AS status", job);
  assert.deepEqual([...await sql.unsafe(constant)], [status]);
  assert.deepEqual([...await sql`SELECT pgclone_progress(${job})::jsonb ->> 'status' AS status`], [status]);
  const perRow = await sql`SELECT pgclone_progress(job_id)::jsonb ->> 'status' AS status FROM pgclone_jobs_view
    WHERE job_id IN ${sql([job, other])}`;
  assert.deepEqual([...perRow], [status, status]);
  const [{ pgclone_jobs: listed }] = await sql`SELECT pgclone_jobs()`;
  assert.ok(JSON.parse(listed).some((entry) => entry.job_id === job));
});

ours("actions with constants and with parameters", async (open) => {
  const sql = await open();
  const q = asker(sql);
  const [one, two] = [`one${suffix()}`, `two${suffix()}`];
  const [first] = await sql.unsafe(our.literally(our.START, source, "sales", "orders", one));
  const [second] = await sql`SELECT pgclone.table_async(${source}, 'sales', ${"orders"}, ${true}, ${two}) AS job`;
  for (const { job } of [first, second]) await our.ended(q, job);
  assert.deepEqual([await our.count(q, `sales.${one}`), await our.count(q, `sales.${two}`)], [2000, 2000]);
});

ours("actions per row", async (open) => {
  const sql = await open();
  const q = asker(sql);
  for (const ask of [q, preparing(sql), (text, values) => q(our.literally(text, ...values))]) {
    const end = suffix();
    const rows = await ask(our.PER_ROW, [source, end]);
    assert.deepEqual(rows.map((row) => row.tablename), ["customers", "orders"]);
    for (const { job, tablename } of rows) assert.equal((await our.ended(q, job)).table_name, tablename);
    assert.equal(await our.count(q, `sales.orders${end}`), 2000);
  }
});

ours("an action prepared once", async (open) => {
  const sql = await open();
  const jobs = [];
  for (let use = 0; use < 3; use += 1) {
    const [{ job }] = await preparing(sql)(our.START, [source, "sales", "orders", `again${suffix()}`]);
    jobs.push(job);
  }
  assert.equal(new Set(jobs).size, 3);
  for (const job of jobs) await our.ended(asker(sql), job);
});

ours("a prepared statement while its job goes on", async (open) => {
  const sql = await open();
  await our.followed(asker(sql), asker(await open({}, source)), preparing(sql));
});

ours("an unprepared statement while its job goes on", async (open) => {
  const sql = await open({ prepare: false });
  await our.followed(asker(sql), asker(await open({}, source)), asker(sql));
});

ours("a cursor over the view", async (open) => {
  const sql = await open();
  const jobs = await our.completed(asker(sql), 3);
  const found = [];
  const query = sql`SELECT job_id FROM pgclone_jobs_view WHERE job_id IN ${sql(jobs)} ORDER BY 1`;
  for await (const rows of query.cursor(2)) found.push(rows.map((row) => row.job_id));
  assert.deepEqual(found, [jobs.slice(0, 2), jobs.slice(2)]);
});

ours("a cursor over actions", async (open) => {
  const sql = await open();
  const end = suffix();
  const found = [];
  for await (const [row] of sql.unsafe(our.PER_ROW, [source, end]).cursor(1)) found.push(row.job);
  assert.equal(found.length, 2);
  for (const job of found) await our.ended(asker(sql), job);
  assert.equal(await our.count(asker(sql), `sales.customers${end}`), 1000);
});

ours("queries sent ahead, ours among others", async (open) => {
  const sql = await open();
  const done = await Promise.allSettled([
    sql`SELECT ${1}::int AS n`,
    sql`SELECT pgclone_version() AS version`,
    sql.unsafe(our.PER_ROW, [source, suffix()]),
    sql`SELECT 1 / ${0}::int`,
    sql`SELECT pgclone_progress(${999999})`,
    sql`SELECT ${2}::int AS n`,
    sql`SELECT count(*)::int AS n FROM pgclone_jobs_view WHERE table_name = ${"customers"}`,
    sql`SELECT ${3}::int AS n`,
  ]);
  const codes = done.map(({ reason }) => reason?.code ?? "ok");
  assert.deepEqual(codes, ["ok", "ok", "ok", "22012", "P0002", "ok", "ok", "ok"]);
  const [one, [{ version }], started, , , two, [{ n: jobs }], three] = done.map(({ value }) => value);
  assert.deepEqual([...one, ...two, ...three], [{ n: 1 }, { n: 2 }, { n: 3 }]);
  assert.match(version, /pgclone/);
  assert.ok(jobs >= 1);
  for (const { job } of started) await our.ended(asker(sql), job);
});

ours("a transaction sent ahead, with an action, rolled back", async (open) => {
  const sql = await open();
  let started;
  const error = await refused(sql.begin((tx) => {
    started = tx.unsafe(our.START, [source, "sales", "orders", `tx${suffix()}`]);
    return [tx`INSERT INTO started VALUES (${1})`, started, tx`SELECT 1 / ${0}::int`];
  }));
  assert.equal(error.code, "22012");
  const [{ job }] = await started;
  await our.ended(asker(sql), job);
  assert.equal(await our.count(asker(sql), "started"), 0);
});

ours("an action in a savepoint that fails", async (open) => {
  const sql = await open();
  const jobs = await sql.begin(async (tx) => {
    const failed = await refused(tx.savepoint((sp) => sp`SELECT pgclone_progress(${999999})`));
    assert.equal(failed.code, "P0002");
    return tx.unsafe(our.START, [source, "sales", "orders", `sp${suffix()}`]);
  });
  await our.ended(asker(sql), jobs[0].job);
});

ours("several statements with an action in one query", async (open) => {
  const sql = await open();
  const start = our.literally(our.START, source, "sales", "orders", `orders${suffix()}`);
  const results = await sql.unsafe(`SELECT 1 AS one; ${start}; SELECT count(*)::int AS n FROM pgclone_jobs_view`);
  assert.deepEqual(results.map(({ command, count }) => [command, count]), Array(3).fill(["SELECT", 1]));
  assert.ok(results[2][0].n >= 1);
  await our.ended(asker(sql), results[1][0].job);
});

ours("COPY of the view", async (open) => {
  const sql = await open();
  const [job] = await our.completed(asker(sql));
  const where = sql.unsafe(`job_id = ${job}`);
  const copy = sql`COPY (SELECT job_id, status FROM pgclone_jobs_view WHERE ${where}) TO STDOUT`;
  assert.equal(await text(await copy.readable()), `${job}\tcompleted\n`);
});

ours("a read-only transaction reads and does not start", async (open) => {
  const sql = await open();
  const error = await refused(sql.begin("read only", async (tx) => {
    assert.equal((await tx`SELECT count(*) FROM pgclone_jobs_view`).length, 1);
    await tx.unsafe(our.START, [source, "sales", "orders", "never"]);
  }));
  assert.equal(error.code, "25006");
  assert.match(error.message, /pgclone_table_async/);
});

ours("refusals", async (open) => {
  const sql = await open();
  for (const refusal of our.REFUSALS) {
    our.assertRefused(await refused(sql.unsafe(refusal[0])), refusal);
    our.assertRefused(await refused(sql.unsafe(refusal[0], [], { prepare: true })), refusal);
  }
});

ours("a job is cancelled and resumed", async (open) => {
  const sql = await open();
  const q = asker(sql);
  const { job, release } = await our.waiting(q, asker(await open({}, source)));
  await until(async () => (await q(our.STATUS, [job]))[0].status === "running");
  assert.deepEqual([...await sql`SELECT pgclone_cancel(${job}) AS said`], [{ said: "cancelled" }]);
  await our.ended(q, job, "cancelled");
  await release();
  const [{ resumed }] = await sql`SELECT pgclone_resume(${job}) AS resumed`;
  await our.ended(q, resumed);
});

ours("a cancelled query on the view", async (open) => {
  const sql = await open({ max: 2 });
  const query = sql`SELECT pg_sleep(60), count(*) FROM pgclone_jobs_view WHERE status <> ${"x"}`;
  query.execute();
  await sleeping(sql);
  query.cancel();
  assert.equal((await refused(query)).code, "57014");
  assert.equal((await sql`SELECT count(*) FROM pgclone_jobs_view`).length, 1);
});

ours("a clone that is waited for, and one that is cancelled", async (open) => {
  const sql = await open();
  const q = asker(sql);
  const clone = "SELECT pgclone_table($1, 'sales', 'customers', true, $2) AS said";
  assert.deepEqual([...await q(clone, [source, `waited${suffix()}`])], [{ said: "OK" }]);
  let query;
  const ask = (text, values) => (query = sql.unsafe(text, values));
  await our.interrupted(asker(await open()), asker(await open({}, source)), ask, () => query.cancel());
  assert.deepEqual([...await q("SELECT 1 AS one")], [{ one: 1 }]);
});

const connect = async (url, options) => postgres(url, { max: 1, ...options });

await run(connect, (sql) => sql.end({ timeout: 1 }));
