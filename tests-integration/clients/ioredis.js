// ioredis with its default settings: what a cache's user does with it.
"use strict";
const assert = require("node:assert").strict;
const crypto = require("node:crypto");
const Redis = require("ioredis");

const port = Number(process.env.LARDER_PORT);
const binary = Buffer.concat([
  Buffer.from(Array.from({ length: 256 }, (_, i) => i)),
  Buffer.from("\r\n$-1\r\n\0"),
]);
let passed = 0;
let failed = 0;

async function check(name, test) {
  const client = new Redis(port, "127.0.0.1");
  client.on("error", () => {});
  try {
    await test(client);
    passed++;
  } catch (problem) {
    failed++;
    console.log(`FAILED ${name}: ${problem.stack || problem.message}`);
  }
  client.disconnect();
}

async function main() {
  await check("connects", async (client) => {
    assert.equal(await client.ping(), "PONG");
    assert.equal(await client.echo("text"), "text");
    assert.equal(client.status, "ready");
    assert.equal(await client.client("SETNAME", "js"), "OK");
    assert.equal(await client.client("GETNAME"), "js");
  });

  await check("strings", async (client) => {
    assert.equal(await client.set("s", "value"), "OK");
    assert.equal(await client.get("s"), "value");
    assert.equal(await client.set("s", "x", "NX"), null);
    assert.equal(await client.set("s", "new", "GET"), "value");
    assert.equal(await client.append("s", "!"), 4);
    assert.equal(await client.getdel("s"), "new!");
    assert.equal(await client.get("s"), null);
  });

  await check("binary values", async (client) => {
    assert.equal(await client.set(binary, binary), "OK");
    assert.deepEqual(await client.getBuffer(binary), binary);
    assert.equal(await client.del(binary), 1);
    const big = crypto.randomBytes(2 * 1024 * 1024);
    await client.set("big", big);
    assert.ok(big.equals(await client.getBuffer("big")));
    assert.equal(await client.del("big"), 1);
  });

  await check("deadlines", async (client) => {
    await client.set("d", 1, "EX", 100);
    assert.ok([99, 100].includes(await client.ttl("d")));
    assert.equal(await client.expire("d", 50), 1);
    const left = await client.pttl("d");
    assert.ok(left > 49000 && left <= 50000);
    assert.equal(await client.persist("d"), 1);
    assert.equal(await client.ttl("d"), -1);
    await client.psetex("d", 20, "v");
    const end = Date.now() + 20000;
    while ((await client.exists("d")) === 1) {
      assert.ok(Date.now() < end, "the key never expires");
    }
  });

  await check("counters", async (client) => {
    assert.equal(await client.incr("n"), 1);
    assert.equal(await client.incrby("n", 41), 42);
    assert.equal(await client.decr("n"), 41);
    assert.equal(await client.incrbyfloat("n", 0.5), "41.5");
    await assert.rejects(client.incr("n"), /not an integer/);
    await client.del("n");
  });

  await check("several keys", async (client) => {
    assert.equal(await client.mset({ a: 1, b: 2 }), "OK");
    assert.deepEqual(await client.mget("a", "none", "b"), ["1", null, "2"]);
    assert.equal(await client.exists("a", "b", "none"), 2);
    assert.equal(await client.unlink("a", "b"), 2);
  });

  await check("hashes", async (client) => {
    assert.equal(await client.hset("h", { f: "1", g: "2" }), 2);
    assert.equal(await client.hget("h", "f"), "1");
    assert.deepEqual(await client.hgetall("h"), { f: "1", g: "2" });
    assert.deepEqual(await client.hmget("h", "f", "none"), ["1", null]);
    assert.equal(await client.hincrby("h", "f", 5), 6);
    assert.equal(await client.hdel("h", "f", "g", "none"), 2);
    assert.deepEqual(await client.hgetall("h"), {});
  });

  await check("scanning", async (client) => {
    const pipeline = client.pipeline();
    for (let i = 0; i < 1000; i++) {
      pipeline.set(`scan:${i}`, i);
    }
    await pipeline.exec();
    const found = new Set();
    for await (const keys of client.scanStream({ match: "scan:*", count: 50 })) {
      keys.forEach((key) => found.add(key));
    }
    assert.equal(found.size, 1000);
    assert.equal(await client.del(...found), 1000);
  });

  await check("pipelines", async (client) => {
    const replies = await client
      .pipeline()
      .set("p", 1)
      .incr("p")
      .hget("p", "f")
      .get("p")
      .del("p")
      .exec();
    assert.deepEqual(replies[0], [null, "OK"]);
    assert.deepEqual(replies[1], [null, 2]);
    assert.match(replies[2][0].message, /WRONGTYPE/);
    assert.deepEqual(replies.slice(3), [[null, "2"], [null, 1]]);
  });

  await check("many at once", async (client) => {
    const work = [];
    for (let i = 0; i < 2000; i++) {
      work.push(client.set(`m:${i}`, i).then(() => client.get(`m:${i}`)));
    }
    const values = await Promise.all(work);
    values.forEach((value, i) => assert.equal(value, String(i)));
    await client.flushdb();
  });

  await check("errors", async (client) => {
    await client.set("e", "text");
    await assert.rejects(client.hget("e", "f"), /WRONGTYPE/);
    await assert.rejects(client.call("NOSUCH"), /unknown command/);
    await assert.rejects(client.call("GET"), /wrong number of arguments/);
    assert.equal(await client.ping(), "PONG");
    await client.del("e");
  });

  await check("computed once", async (client) => {
    const ask = (...words) => client.call(...words);
    const [value, ttl, token] = await ask("FETCH", "once", "LEASE", "10000", "WAIT", "2000");
    assert.ok(value === null && ttl === null && token.length === 11);
    assert.equal(await ask("STORE", "once", "v", "PX", "60000", "STALE", "300", "LEASE", token), "OK");
    const [found, left, none] = await ask("FETCH", "once", "LEASE", "10000");
    assert.ok(found === "v" && left > 0 && left <= 60000 && none === null);
    assert.equal(await ask("STORE", "once", "old", "LEASE", token), null);
    assert.equal(await client.del("once"), 1);
  });

  await check("server commands", async (client) => {
    assert.match(await client.info(), /redis_version:/);
    assert.ok((await client.command("COUNT")) > 50);
    assert.equal((await client.command("INFO", "get"))[0][1], 2);
    assert.equal((await client.config("GET", "maxmemory"))[0], "maxmemory");
    await client.set("f", 1);
    assert.equal(await client.dbsize(), 1);
    assert.equal(await client.flushdb(), "OK");
    assert.equal(await client.dbsize(), 0);
  });

  await check("other database", async (client) => {
    const other = new Redis({ host: "127.0.0.1", port, db: 3 });
    await other.set("only-there", 1);
    assert.equal(await client.get("only-there"), null);
    await other.flushdb();
    assert.equal(await other.quit(), "OK");
  });

  await check("publish and subscribe", async (client) => {
    const subscriber = new Redis(port, "127.0.0.1");
    const seen = [];
    const all = new Promise((resolve) => {
      const note = (...words) => seen.push(words) === 4 && resolve();
      subscriber.on("message", (channel, message) => note("message", channel, message));
      subscriber.on("pmessage", (pattern, channel, message) => note(pattern, channel, message));
      subscriber.on("smessage", (channel, message) => note("smessage", channel, message));
    });
    assert.equal(await subscriber.subscribe("news", "other"), 2);
    assert.equal(await subscriber.psubscribe("n?w*"), 3);
    assert.equal(await subscriber.ssubscribe("shard"), 1);
    assert.equal(await client.publish("news", "a"), 2);
    assert.equal(await client.publish("other", "b"), 1);
    assert.equal(await client.spublish("shard", "c"), 1);
    await all;
    assert.deepEqual(seen, [
      ["message", "news", "a"],
      ["n?w*", "news", "a"],
      ["message", "other", "b"],
      ["smessage", "shard", "c"],
    ]);
    await assert.rejects(subscriber.get("x"), /subscriber mode/);
    await subscriber.unsubscribe("news", "other");
    await subscriber.punsubscribe("n?w*");
    await subscriber.sunsubscribe("shard");
    assert.equal(await subscriber.ping(), "PONG");
    assert.equal(await client.publish("news", "d"), 0);
    subscriber.disconnect();
  });

  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed === 0 ? 0 : 1);
}

main();
