// Deletes through node-pg, which speaks the extended protocol: parameters,
// named statements, portals.  Runs twice, as ../django/checks.py says.
"use strict";
const fs = require("fs");
const path = require("path");
const { Client, Pool } = require("pg");
const Cursor = require("pg-cursor");

const soft = process.env.MODE === "soft";
let title = "";

const tell = (line) => process.stdout.write(JSON.stringify(line) + "\n");

// What the driver answers, or throws: the twin must say the same.
async function says(name, call) {
  let value;
  try {
    value = await call();
    if (value && value.command) value = { command: value.command, rowCount: value.rowCount, rows: value.rows.map(own) };
  } catch (error) {
    const { code, message, detail, table, constraint, schema } = error;
    value = { code, message, detail, table, constraint, schema };
  }
  tell({ name: `${title}: ${name}`, value });
}

// A row without the columns that softdelete adds.
function own({ active, deletion_id, ...row }) {
  return row;
}

function check(name, ok, detail) {
  tell({ name: `${title}: ${name}`, ok: Boolean(ok), detail: ok ? null : detail });
}

const schema = `
  CREATE TABLE customers (id int PRIMARY KEY, name text UNIQUE, data jsonb, born date, paid numeric);
  CREATE TABLE orders (id int PRIMARY KEY, customer_id int REFERENCES customers ON DELETE CASCADE, number text UNIQUE);
  CREATE TABLE lines (order_id int REFERENCES orders ON DELETE CASCADE, line int, PRIMARY KEY (order_id, line));
  CREATE TABLE visits (id int PRIMARY KEY, customer_id int REFERENCES customers ON DELETE SET NULL);
  CREATE TABLE holds (id int PRIMARY KEY, customer_id int REFERENCES customers);`;
const rows = `
  TRUNCATE customers, orders, lines, visits, holds;
  INSERT INTO customers SELECT i, 'c' || i, jsonb_build_object('n', i), date '2000-01-01' + i, i * 1.5 FROM generate_series(1, 20) i;
  INSERT INTO orders SELECT i, (i + 1) / 2, 'o' || i FROM generate_series(1, 40) i;
  INSERT INTO lines SELECT i, l FROM generate_series(1, 40) i, generate_series(1, 3) l;
  INSERT INTO visits SELECT i, i FROM generate_series(1, 20) i;
  INSERT INTO holds VALUES (1, 20);`;

const pool = new Pool({ max: 4 });
const load = new Client({ options: "-c softdelete.enabled=off" });
const snapshot = async () => (await pool.query("SELECT orm.snapshot() AS s")).rows[0].s;
const numbers = (result) => result.rows.map((row) => Object.values(row)[0]);
const named = (name, text) => (client, ...values) => client.query({ name, text, values });
const remove = named("remove", "DELETE FROM customers WHERE id = $1");
const removeReturning = named("remove returning", "DELETE FROM customers WHERE id = $1 RETURNING id, name, data, born, paid");
const count = named("count", "SELECT count(*)::int FROM customers WHERE id > $1");
const last = (number) => [`orm.undelete_last(${number})`];

async function scenario(name, calls, body) {
  title = name;
  await load.query(rows);
  const before = await snapshot();
  await body();
  await says("whole database", snapshot);
  if (!soft || calls.length === 0) return;
  for (const call of calls) await pool.query(`SELECT ${call}`);
  const after = await snapshot();
  const changed = Object.keys(before).filter((table) => JSON.stringify(before[table]) !== JSON.stringify(after[table]));
  check("undeleted", changed.length === 0, changed);
}

async function run() {
  await load.connect();
  await pool.query(schema);
  await pool.query(fs.readFileSync(path.join(__dirname, "..", "snapshot.sql"), "utf8"));
  const early = await pool.connect();

  title = "before registration";
  await load.query(rows);
  await says("named statement", () => remove(early, 1));
  await says("named SELECT", () => count(early, 0));
  if (soft) {
    await pool.query("CREATE EXTENSION softdelete");
    for (const table of ["customers", "visits", "holds"]) await pool.query("SELECT softdelete_register($1)", [table]);
  }

  await scenario("named statements", ["softdelete_undelete('customers', ARRAY[1, 2, 3], cascade := true)"], async () => {
    await says("prepared before registration", () => remove(early, 1));
    await says("again", () => remove(early, 1));
    await says("SELECT prepared before registration", () => count(early, 0));
    for (let i = 2; i < 9; i++) await says(`SELECT ${i}`, () => count(early, i)); // generic plans
    await says("in another session", async () => [await remove(pool, 2), await count(pool, 0)].map((r) => [r.command, r.rowCount]));
    await says("RETURNING", () => removeReturning(early, 3));
    await says("RETURNING nothing", () => removeReturning(early, 3));
  });

  await scenario("parameters", last(4), async () => {
    await says("array", () => pool.query("DELETE FROM customers WHERE id = ANY ($1)", [[1, 2, 30]]));
    await says("json", () => pool.query("DELETE FROM customers WHERE data @> $1 RETURNING *", [{ n: 4 }]));
    await says("null", () => pool.query("DELETE FROM customers WHERE id = $1", [null]));
    await says("text", () => pool.query("DELETE FROM customers WHERE name = $1 RETURNING name", ["c5"]));
    await says("CTE", () => pool.query("WITH d AS (DELETE FROM customers WHERE id > $1 AND id < 20 RETURNING *) SELECT count(*)::int, sum(paid) FROM d", [15]));
    await says("orders", async () => numbers(await pool.query("SELECT id FROM orders ORDER BY id")));
    await says("visits", async () => numbers(await pool.query("SELECT id FROM visits WHERE customer_id IS NULL ORDER BY id")));
    await says("array of rows", async () => (await pool.query({ text: "SELECT id, name FROM customers WHERE id < $1 ORDER BY id", values: [9], rowMode: "array" })).rows);
  });

  await scenario("the simple protocol", last(1), async () => {
    await says("several statements", async () => (await pool.query("DELETE FROM lines WHERE order_id = 1; DELETE FROM orders WHERE id = 1; SELECT count(*)::int FROM orders"))
      .map((r) => [r.command, r.rowCount, r.rows]));
  });

  await scenario("errors", [], async () => {
    await says("NO ACTION", () => pool.query("DELETE FROM customers WHERE id = $1", [20]));
    await says("new reference", async () => {
      await pool.query("DELETE FROM customers WHERE id = $1", [1]);
      return pool.query("INSERT INTO visits VALUES ($1, $2)", [100, 1]);
    });
    await says("a live key", () => pool.query("INSERT INTO customers (id, name) VALUES ($1, $2)", [2, "c2"]));
    await says("the session goes on", () => pool.query("SELECT 1 AS one"));
  });

  await scenario("cursors", last(2), async () => {
    await says("a portal read in part", async () => {
      const client = await pool.connect();
      const cursor = client.query(new Cursor("DELETE FROM customers WHERE id < $1 RETURNING id, name", [6]));
      const first = await cursor.read(2);
      await cursor.close();
      client.release();
      return first.map(own);
    });
    await says("what it left", () => count(pool, 0));
    await says("a portal over a SELECT while others delete", async () => {
      const client = await pool.connect();
      const cursor = client.query(new Cursor("SELECT id FROM customers ORDER BY id"));
      const first = await cursor.read(3);
      await pool.query("DELETE FROM customers WHERE id = 10");
      const rest = await cursor.read(100);
      await cursor.close();
      client.release();
      return [first.length, rest.length];
    });
    await says("after it", () => count(pool, 0));
  });

  await scenario("transactions", last(1), async () => {
    const one = await pool.connect();
    await says("in the transaction", async () => {
      await one.query("BEGIN");
      return [await remove(one, 1), await remove(one, 2), await count(one, 0)].map((r) => [r.command, r.rowCount, r.rows]);
    });
    await says("not for others yet", () => count(pool, 0));
    await says("savepoint", async () => {
      await one.query("SAVEPOINT s");
      await remove(one, 3);
      await one.query("ROLLBACK TO s");
      return count(one, 0);
    });
    await says("commit", () => one.query("COMMIT"));
    await says("for others", () => count(pool, 0));
    await says("rolled back", async () => {
      await one.query("BEGIN");
      await remove(one, 4);
      await one.query("ROLLBACK");
      return count(pool, 0);
    });
    one.release();
  });

  await scenario("a pool", last(9), async () => {
    await says("at the same time", async () => (await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map((id) => remove(pool, id)))).map((r) => r.rowCount));
    await says("the same row", async () => (await Promise.all([1, 1, 9, 9, 9].map((id) => pool.query("DELETE FROM visits WHERE id = $1 AND id <> 9", [id]))))
      .reduce((sum, r) => sum + r.rowCount, 0));
    await says("left", () => count(pool, 0));
  });

  await scenario("keys", [], async () => {
    await says("unique value", async () => {
      await pool.query("DELETE FROM customers WHERE id = $1", [1]);
      return pool.query("INSERT INTO customers (id, name) VALUES ($1, $2)", [101, "c1"]);
    });
    await says("ON CONFLICT DO NOTHING", async () => {
      await pool.query("DELETE FROM orders WHERE id = $1", [10]);
      return pool.query("INSERT INTO orders VALUES ($1, $2, $3) ON CONFLICT (number) DO NOTHING RETURNING id", [110, 5, "o10"]);
    });
    await says("ON CONFLICT DO UPDATE", () => pool.query("INSERT INTO orders VALUES ($1, $2, $3) ON CONFLICT (number) DO UPDATE SET id = excluded.id RETURNING id", [111, 5, "o10"]));
    await says("primary key that nothing refers to", async () => {
      await pool.query("DELETE FROM visits WHERE id = $1", [7]);
      return pool.query("INSERT INTO visits VALUES ($1, $2) RETURNING id", [7, 7]);
    });
    await says("composite", async () => {
      await pool.query("DELETE FROM lines WHERE order_id = $1 AND line = $2", [12, 1]);
      return pool.query("INSERT INTO lines VALUES ($1, $2)", [12, 1]);
    });
  });

  if (soft) {
    title = "undelete";
    await load.query(rows);
    await remove(pool, 1);
    await gives("with parameters", "SELECT softdelete_undelete($1, $2::int, cascade := $3) AS n", ["customers", 1, true], 9);
    await remove(pool, 1);
    await gives("with a key whose type the server chooses", "SELECT softdelete_undelete($1, $2, cascade := true) AS n", ["customers", "1"], 9);
    await pool.query("DELETE FROM lines WHERE order_id = 5");
    await gives("with composite keys", "SELECT softdelete_undelete($1, $2::text) AS n", ["lines", '{"order_id": 5, "line": 2}'], 1);
    title = "softdelete.enabled = off";
    await load.query("DELETE FROM customers WHERE id = $1", [2]);
    check("deletes really", (await load.query("SET softdelete.show_deleted = on; SELECT count(*)::int AS n FROM customers"))[1].rows[0].n === 19);
  }
  early.release();
  await load.end();
  await pool.end();
}

async function gives(name, text, values, expected) {
  const result = (await pool.query(text, values)).rows[0].n;
  check(name, Number(result) === expected, result);
}

run().catch((error) => {
  console.error(error);
  process.exit(1);
});
