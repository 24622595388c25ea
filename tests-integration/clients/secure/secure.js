// ioredis and node-redis over TLS, as a user with few permissions. LARDER_TLS_AUTH: whether clients need a
// certificate.
"use strict";
const assert = require("node:assert").strict;
const fs = require("node:fs");
const Redis = require("ioredis");
const { createClient, RESP_TYPES } = require("redis");

const folder = process.env.LARDER_CERTIFICATES;
const port = Number(process.env.LARDER_TLS_PORT);
const needed = process.env.LARDER_TLS_AUTH === "yes";
const binary = Buffer.from(Array.from({ length: 256 * 300 }, (_, i) => i % 256));
const file = (name) => fs.readFileSync(`${folder}/${name}`);
let passed = 0;
let failed = 0;

function options({ authority = "ca", certificate = true }) {
  const shown = certificate ? { cert: file("client.crt"), key: file("client.key") } : {};
  return { ca: file(`${authority}.crt`), ...shown };
}

async function check(name, test) {
  try {
    await test();
    passed++;
  } catch (problem) {
    failed++;
    console.log(`FAILED ${name}: ${problem.stack || problem.message}`);
  }
}

// The library's own way to connect, as one that resolves or rejects.
async function withIoredis(wish, use) {
  const client = new Redis({
    host: "127.0.0.1",
    port,
    username: "shop",
    password: wish.password || "secret",
    tls: options(wish),
    lazyConnect: true,
    enableReadyCheck: false,
    retryStrategy: null,
    maxRetriesPerRequest: 0,
  });
  let problem = null;
  client.on("error", (error) => (problem = problem || error));
  try {
    await client.connect();
    await use(client);
  } catch (error) {
    throw problem || error;
  } finally {
    client.disconnect();
  }
}

async function withNodeRedis(wish, use) {
  const client = createClient({
    username: "shop",
    password: wish.password || "secret",
    socket: { host: "127.0.0.1", port, tls: true, reconnectStrategy: false, ...options(wish) },
  });
  client.on("error", () => {});
  try {
    await client.connect();
    await use(client);
  } finally {
    if (client.isOpen) client.destroy();
  }
}

async function suite(name, connected, whoami, send, getBuffer) {
  await check(`${name}: works`, () =>
    connected({}, async (client) => {
      assert.equal(await whoami(client), "shop");
      assert.equal(await client.set("shop:binary", binary), "OK");
      assert.ok(binary.equals(await getBuffer(client, "shop:binary")));
      await client.set("shop:n", 1);
      await Promise.all(Array.from({ length: 500 }, () => client.incr("shop:n")));
      assert.equal(await client.get("shop:n"), "501");
      assert.equal(await client.del(["shop:n", "shop:binary"]), 2);
    }));

  await check(`${name}: is restricted`, async () => {
    await connected({}, async (client) => {
      await assert.rejects(client.get("other"), /NOPERM/);
      await assert.rejects(send(client, "FLUSHALL"), /NOPERM/);
      await assert.rejects(client.publish("other", "x"), /NOPERM/);
      assert.equal(await client.ping(), "PONG");
    });
    const ping = (client) => client.ping();
    await assert.rejects(connected({ password: "wrong" }, ping), /WRONGPASS|NOAUTH/);
  });

  await check(`${name}: certificates`, async () => {
    const ping = async (client) => assert.equal(await client.ping(), "PONG");
    const without = connected({ certificate: false }, ping);
    await (needed ? assert.rejects(without) : without);
    await assert.rejects(connected({ authority: "stranger" }, ping), /self.signed|certificate|signature/);
  });
}

async function main() {
  await suite("ioredis", withIoredis, (client) => client.acl("WHOAMI"), (client, word) => client.call(word),
    (client, key) => client.getBuffer(key));
  await suite("node-redis", withNodeRedis, (client) => client.aclWhoAmI(),
    (client, word) => client.sendCommand([word]),
    (client, key) => client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer }).get(key));
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed === 0 ? 0 : 1);
}

main();
