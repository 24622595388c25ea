// HTTP by what JavaScript programs use: @upstash/redis with the server as its URL, and fetch.
"use strict";
const assert = require("node:assert").strict;
const net = require("node:net");
const { Redis } = require("@upstash/redis");

let passed = 0;
let failed = 0;

async function check(name, test) {
  try {
    await test();
    passed++;
  } catch (problem) {
    failed++;
    console.log(`FAILED ${name}: ${problem.stack || problem.message}`);
  }
}

function freePort() {
  return new Promise((resolve) => {
    const probe = net.createServer().listen(0, "127.0.0.1", () => {
      const port = probe.address().port;
      probe.close(() => resolve(port));
    });
  });
}

// Over the other protocol: HTTP is off at first.
function openDoor(port) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(Number(process.env.LARDER_PORT), "127.0.0.1");
    socket.on("error", reject);
    socket.on("data", (reply) => {
      socket.end();
      if (String(reply) === "+OK\r\n") resolve();
      else reject(new Error(String(reply)));
    });
    socket.write(`CONFIG SET http-bind 127.0.0.1 http-port ${port}\r\n`);
  });
}

async function main() {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  await openDoor(port);

  for (const base of [url, `${url}/v1/command`]) {
    const redis = new Redis({ url: base, token: "any" });
    await check("values", async () => {
      assert.equal(await redis.set("s", { x: 1, y: "é\u0000\n" }), "OK");
      assert.deepEqual(await redis.get("s"), { x: 1, y: "é\u0000\n" });
      assert.equal(await redis.get("none"), null);
      assert.equal(await redis.incr("n"), 1);
      assert.deepEqual(await redis.mget("n", "none"), [1, null]);
      assert.equal(await redis.set("t", "v", { ex: 100 }), "OK");
      assert.ok((await redis.ttl("t")) > 90);
    });
    await check("collections", async () => {
      assert.equal(await redis.hset("h", { f: "v", g: 2 }), 2);
      assert.deepEqual(await redis.hgetall("h"), { f: "v", g: 2 });
      assert.equal(await redis.rpush("l", "a", "b"), 2);
      assert.deepEqual(await redis.lrange("l", 0, -1), ["a", "b"]);
      assert.equal(await redis.zadd("z", { score: 1.5, member: "m" }), 1);
      assert.deepEqual(await redis.zrange("z", 0, -1, { withScores: true }), ["m", 1.5]);
      assert.deepEqual(await redis.scan(0, { match: "z*", count: 100 }), ["0", ["z"]]);
    });
    await check("pipeline", async () => {
      const pipeline = redis.pipeline();
      pipeline.set("p", "q");
      pipeline.get("p");
      pipeline.incr("n");
      assert.deepEqual(await pipeline.exec(), ["OK", "q", 2]);
    });
    await check("transaction", async () => {
      const transaction = redis.multi();
      transaction.set("p", "r");
      transaction.get("p");
      transaction.incr("n");
      assert.deepEqual(await transaction.exec(), ["OK", "r", 3]);
    });
    await check("errors", async () => {
      await assert.rejects(redis.lpush("s", 1), /WRONGTYPE/);
    });
    await check("removes", async () => {
      assert.equal(await redis.del("s", "n", "t", "h", "l", "z", "p"), 7);
    });
  }

  await check("fetch", async () => {
    const value = new Uint8Array(100000).map((_, i) => i * 7);
    const key = `${url}/v1/keys/${encodeURIComponent("a/é b")}`;
    const put = await fetch(`${key}?ttl=60`, { method: "PUT", body: value });
    assert.equal(put.status, 201);
    const got = await fetch(key);
    assert.equal(got.status, 200);
    assert.deepEqual(new Uint8Array(await got.arrayBuffer()), value);
    assert.equal(got.headers.get("etag"), put.headers.get("etag"));
    const same = await fetch(key, { headers: { "If-None-Match": got.headers.get("etag") } });
    assert.equal(same.status, 304);
    assert.equal((await fetch(key, { method: "DELETE" })).status, 204);
    assert.equal((await fetch(key)).status, 404);
  });
  await check("fetch of many at once", async () => {
    await fetch(`${url}/store/m`, { method: "POST", body: "many" });
    const answers = await Promise.all(Array.from({ length: 200 }, () => fetch(`${url}/get/m`)));
    for (const answer of answers) assert.equal(await answer.text(), "many");
  });
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed === 0 ? 0 : 1);
}

main();
