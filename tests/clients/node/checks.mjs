// The checks of one client: each has a name, is done within a limit, and is reported as TAP.
//
//   same(name, work)  work is done directly and through the proxy: both must come to the same value
//   ours(name, work)  work is done through the proxy; it throws where pgclone's answers are not what they should be
//
// `work` gets `open(options)`, which connects; what it has opened is closed behind it.  Which client, and what it is
// asked, is the business of the other files here.

import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";

const [DIRECT, THROUGH, SOURCE] = process.argv.slice(2);
const LIMIT = 30_000;
const PAUSE = 20;

/** What libpq takes for the source: the conninfo in all calls. */
export const source = SOURCE;

const table = [];

export function same(name, work) {
  table.push([name, async (use) => {
    const [direct, through] = [await use(DIRECT, work), await use(THROUGH, work)];
    assert.deepEqual(through, direct);
    assert.notEqual(direct, undefined, "nothing was compared");
  }]);
}

export function ours(name, work) {
  table.push([name, async (use) => {
    await use(THROUGH, work);
  }]);
}

/** Run all checks with a client that `connect(url, options)` opens and `disconnect(client)` closes. */
export async function run(connect, disconnect) {
  const use = async (url, work) => {
    const opened = [];
    const open = async (options, where = url) => {
      const client = await connect(where, options);
      opened.push(client);
      return client;
    };
    try {
      return await work(open, url);
    } finally {
      await Promise.all(opened.map(disconnect));
    }
  };
  let number = 0;
  for (const [name, check] of table) {
    number += 1;
    try {
      await within(check(use));
      console.log(`ok ${number} - ${name}`);
    } catch (error) {
      console.log(`not ok ${number} - ${name}`);
      console.log(`${error.stack}\n${JSON.stringify(error)}`.replaceAll(/^/gm, "# "));
    }
  }
  console.log(`1..${number}`);
  process.exit(0); // a check that hung may still hold a connection open
}

async function within(work) {
  const stop = new AbortController();
  const late = pause(LIMIT, undefined, stop).then(() => assert.fail(`not done after ${LIMIT} ms`));
  late.catch(() => {}); // stopped
  try {
    return await Promise.race([work, late]);
  } finally {
    stop.abort();
  }
}

/** The first value of `look` that is true. */
export async function until(look) {
  for (;;) {
    const found = await look();
    if (found) return found;
    await pause(PAUSE);
  }
}

/** The error that a promise is rejected with, as plain data: all that the server said. */
export async function refused(promise) {
  const error = await promise.then((value) => assert.fail(`not refused: ${JSON.stringify(value)}`), (e) => e);
  if (error instanceof assert.AssertionError) throw error;
  const { query, parameters, args, types, ...fields } = error; // what postgres.js adds
  return { message: error.message, ...fields };
}

let names = 0;
/** A suffix for tables on the target that nobody else uses. */
export const suffix = () => `_${(names += 1)}`;
