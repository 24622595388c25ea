// node-redis with its default settings, and with protocol 3: what a cache's user does with it.
"use strict";
const assert = require("node:assert").strict;
const crypto = require("node:crypto");
const { createClient, RESP_TYPES } = require("redis");

const url = `redis://127.0.0.1:${process.env.LARDER_PORT}`;
const binary = Buffer.concat([
  Buffer.from(Array.from({ length: 256 }, (_, i) => i)),
  Buffer.from("\r\n$-1\r\n\0"),
]);
let passed = 0;
let failed = 0;

async function check(name, options, test) {
  const client = createClient({ url, ...options });
  client.on("error", () => {});
  try {
    await client.connect();
    await test(client);
    passed++;
  } catch (problem) {
    failed++;
    console.log(`FAILED ${name} ${JSON.stringify(options)}: ${problem.stack || problem.message}`);
  }
  client.destroy();
}

async function suite(options) {
  await check("connects", options, async (client) => {
    assert.equal(await client.ping(), "PONG");
    assert.equal(await client.echo("text"), "text");
    assert.equal(await client.clientSetName("js"), "OK");
    assert.equal(await client.clientGetName(), "js");
    assert.ok((await client.clientId()) > 0);
  });

  await check("strings", options, async (client) => {
    assert.equal(await client.set("s", "value"), "OK");
    assert.equal(await client.get("s"), "value");
    assert.equal(await client.set("s", "x", { NX: true }), null);
    assert.equal(await client.append("s", "!"), 6);
    assert.equal(await client.strLen("s"), 6);
    assert.equal(await client.getDel("s"), "value!");
    assert.equal(await client.get("s"), null);
  });

  await check("binary values", options, async (client) => {
    const buffers = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
    assert.equal(await client.set(binary, binary), "OK");
    assert.deepEqual(await buffers.get(binary), binary);
    assert.equal(await client.del(binary), 1);
    const big = crypto.randomBytes(2 * 1024 * 1024);
    await client.set("big", big);
    assert.ok(big.equals(await buffers.get("big")));
    assert.equal(await client.del("big"), 1);
  });

  await check("deadlines", options, async (client) => {
    await client.set("d", "1", { EX: 100 });
    assert.ok([99, 100].includes(await client.ttl("d")));
    assert.equal(await client.expire("d", 50), 1);
    assert.equal(await client.persist("d"), 1);
    assert.equal(await client.ttl("d"), -1);
    await client.pSetEx("d", 20, "v");
    const end = Date.now() + 20000;
    while ((await client.exists("d")) === 1) {
      assert.ok(Date.now() < end, "the key never expires");
    }
  });

  await check("counters", options, async (client) => {
    assert.equal(await client.incr("n"), 1);
    assert.equal(await client.incrBy("n", 41), 42);
    assert.equal(await client.decr("n"), 41);
    assert.equal(await client.incrByFloat("n", 0.5), "41.5");
    await assert.rejects(client.incr("n"), /not an integer/);
    await client.del("n");
  });

  await check("several keys", options, async (client) => {
    assert.equal(await client.mSet({ a: "1", b: "2" }), "OK");
    assert.deepEqual(await client.mGet(["a", "none", "b"]), ["1", null, "2"]);
    assert.equal(await client.exists(["a", "b", "none"]), 2);
    assert.equal(await client.type("a"), "string");
    assert.equal(await client.unlink(["a", "b"]), 2);
  });

  await check("hashes", options, async (client) => {
    assert.equal(await client.hSet("h", { f: "1", g: "2" }), 2);
    assert.equal(await client.hGet("h", "f"), "1");
    assert.deepEqual({ ...(await client.hGetAll("h")) }, { f: "1", g: "2" });
    assert.deepEqual(await client.hmGet("h", ["f", "none"]), ["1", null]);
    assert.equal(await client.hIncrBy("h", "f", 5), 6);
    assert.equal(await client.hDel("h", ["f", "g", "none"]), 2);
    assert.deepEqual({ ...(await client.hGetAll("h")) }, {});
  });

  await check("scanning", options, async (client) => {
    await Promise.all(Array.from({ length: 1000 }, (_, i) => client.set(`scan:${i}`, "v")));
    const found = new Set();
    for await (const keys of client.scanIterator({ MATCH: "scan:*", COUNT: 50 })) {
      keys.forEach((key) => found.add(key));
    }
    assert.equal(found.size, 1000);
    assert.equal(await client.del([...found]), 1000);
  });

  await check("pipelines", options, async (client) => {
    const replies = await client
      .multi()
      .set("p", "1")
      .incr("p")
      .get("p")
      .del("p")
      .execAsPipeline();
    assert.deepEqual(replies, ["OK", 2, "2", 1]);
  });

  await check("errors", options, async (client) => {
    await client.set("e", "text");
    await assert.rejects(client.hGet("e", "f"), /WRONGTYPE/);
    await assert.rejects(client.sendCommand(["NOSUCH"]), /unknown command/);
    await assert.rejects(client.sendCommand(["GET"]), /wrong number of arguments/);
    assert.equal(await client.ping(), "PONG");
    await client.del("e");
  });

  await check("server commands", options, async (client) => {
    assert.match(await client.info(), /redis_version:/);
    assert.ok((await client.commandCount()) > 50);
    assert.equal((await client.commandInfo(["get"]))[0].arity, 2);
    assert.ok("maxmemory" in (await client.configGet("maxmemory")));
    await client.set("f", "1");
    assert.equal(await client.dbSize(), 1);
    assert.equal(await client.flushDb(), "OK");
    assert.equal(await client.dbSize(), 0);
  });

  await check("publish and subscribe", options, async (client) => {
    const subscriber = client.duplicate();
    await subscriber.connect();
    const seen = [];
    let done;
    const all = new Promise((resolve) => (done = resolve));
    const note = (message, channel) => seen.push(`${channel} ${message}`) === 4 && done();
    await subscriber.subscribe(["news", "other"], note);
    await subscriber.pSubscribe("n?w*", note);
    await subscriber.sSubscribe("shard", note);
    assert.equal(await client.publish("news", "a"), 2);
    assert.equal(await client.publish("other", "b"), 1);
    assert.equal(await client.sPublish("shard", "c"), 1);
    await all;
    assert.deepEqual(seen, ["news a", "news a", "other b", "shard c"]);
    assert.equal(Number((await client.pubSubNumSub(["news"])).news), 1);
    await subscriber.unsubscribe(["news", "other"]);
    await subscriber.pUnsubscribe("n?w*");
    await subscriber.sUnsubscribe("shard");
    assert.equal(String(await subscriber.ping()), "PONG");
    assert.equal(await client.publish("news", "d"), 0);
    subscriber.destroy();
  });

  await check("other database", { ...options, database: 3 }, async (client) => {
    assert.equal(await client.set("only-there", "1"), "OK");
    assert.equal(await client.select(0), undefined);
    assert.equal(await client.get("only-there"), null);
    await client.select(3);
    await client.flushDb();
  });
}

/* The client's own cache, which the server keeps true. */
async function caches() {
  const options = { RESP: 3, clientSideCache: { ttl: 0, maxEntries: 0, evictPolicy: "LRU" } };
  await check("client-side cache", options, async (client) => {
    const other = createClient({ url });
    await other.connect();
    await other.set("cached", "1");
    assert.equal(await client.get("cached"), "1");
    assert.equal(await client.get("cached"), "1");
    await other.set("cached", "2");
    const end = Date.now() + 20000;
    while ((await client.get("cached")) !== "2") {
      assert.ok(Date.now() < end, "the cache never learns of the change");
    }
    await other.del("cached");
    other.destroy();
  });
}

async function main() {
  await suite({});
  await suite({ RESP: 3 });
  await caches();
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed === 0 ? 0 : 1);
}

main();
