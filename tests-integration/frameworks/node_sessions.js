// Express with sessions in connect-redis, and node-redis with its own cache that the server tells of
// changes: as an application has them.
"use strict";
const assert = require("node:assert");
const express = require("express");
const session = require("express-session");
const { RedisStore } = require("connect-redis");
const { createClient, BasicClientSideCache } = require("redis");
const { check, until, finish } = require("./checks");

const url = `redis://127.0.0.1:${process.env.LARDER_PORT}`;
async function sessions(client) {
  const store = new RedisStore({ client, prefix: "sess:", ttl: 100 });
  const app = express();
  app.use(session({ store, secret: "not one", resave: false, saveUninitialized: false }));
  app.get("/count", (request, response) => {
    request.session.count = (request.session.count || 0) + 1;
    response.json({ count: request.session.count });
  });
  app.get("/leave", (request, response) => request.session.destroy(() => response.json({})));
  const server = await new Promise((resolve) => {
    const listening = app.listen(0, "127.0.0.1", () => resolve(listening));
  });
  const address = `http://127.0.0.1:${server.address().port}`;
  const visit = async (path, cookie) => {
    const response = await fetch(address + path, { headers: cookie ? { cookie } : {} });
    return { body: await response.json(), cookie: response.headers.get("set-cookie") };
  };

  await check("a session lasts over requests", async () => {
    const { body, cookie } = await visit("/count");
    assert.strictEqual(body.count, 1);
    const own = cookie.split(";")[0];
    for (let i = 2; i <= 20; i++) {
      assert.strictEqual((await visit("/count", own)).body.count, i);
    }
    assert.strictEqual((await visit("/count")).body.count, 1);
    await visit("/leave", own);
    assert.strictEqual((await visit("/count", own)).body.count, 1);
  });

  await check("the store lists and clears sessions", async () => {
    assert.ok((await store.length()) >= 2);
    assert.strictEqual((await store.all()).length, await store.length());
    const ids = await store.ids();
    assert.ok((await client.ttl(`sess:${ids[0]}`)) > 90);
    await store.clear();
    assert.strictEqual(await store.length(), 0);
  });
  server.close();
  server.closeAllConnections();
}

async function clientSideCache(other) {
  const cache = new BasicClientSideCache({ ttl: 0, maxEntries: 100, evictPolicy: "LRU" });
  const client = createClient({ url, RESP: 3, clientSideCache: cache });
  client.on("error", (problem) => console.log(`client: ${problem.message}`));
  await client.connect();
  await check("what is read twice is asked for once", async () => {
    await other.set("cached", "first");
    for (let i = 0; i < 10; i++) {
      assert.strictEqual(await client.get("cached"), "first");
    }
    assert.strictEqual(cache.stats().hitCount, 9);
  });
  await check("a change by somebody else is seen", async () => {
    await other.set("cached", "second");
    await until(async () => (await client.get("cached")) === "second");
    await other.hSet("map", { a: "1" });
    assert.strictEqual(await client.hGet("map", "a"), "1");
    await other.hSet("map", { a: "2" });
    await until(async () => (await client.hGet("map", "a")) === "2");
    await other.flushAll();
    await until(async () => (await client.get("cached")) === null);
  });
  client.destroy();
}

async function main() {
  const client = createClient({ url });
  client.on("error", (problem) => console.log(`client: ${problem.message}`));
  await client.connect();
  await sessions(client);
  await clientSideCache(client);
  await check("transactions", async () => {
    const replies = await client.multi().set("t", "1").incr("t").lPush("l", ["a", "b"]).exec();
    assert.deepStrictEqual(replies, ["OK", 2, 2]);
  });
  client.destroy();
  finish();
}

main();
