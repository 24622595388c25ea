// Libraries that do their work in scripts: BullMQ's queues, limiters of rates, Redlock.
"use strict";
const assert = require("node:assert");
const IORedis = require("ioredis");
const { Queue, Worker, QueueEvents, FlowProducer } = require("bullmq");
const { RateLimiterRedis, BurstyRateLimiter } = require("rate-limiter-flexible");
const { default: Redlock } = require("redlock");
const { check, until, finish } = require("./checks");

const connection = { host: "127.0.0.1", port: Number(process.env.LARDER_PORT) };

// Runs `body` with a queue and a worker of it.
async function withQueue(name, work, body) {
  const queue = new Queue(name, { connection });
  const worker = new Worker(name, work, { connection, concurrency: 10 });
  worker.on("error", (problem) => console.log(`worker: ${problem.message}`));
  try {
    await body(queue, worker);
  } finally {
    await worker.close();
    await queue.close();
  }
}

async function queues() {
  await check("bullmq: jobs are done, and counted", async () => {
    const seen = new Set();
    await withQueue("many", async (job) => seen.add(job.data.i) && job.data.i * 2, async (queue) => {
      const jobs = [];
      for (let i = 0; i < 500; i++) {
        jobs.push({ name: "double", data: { i, text: "\u00e4\u20ac".repeat(i % 20) } });
      }
      const added = await queue.addBulk(jobs);
      await until(async () => (await queue.getCompletedCount()) === 500);
      assert.strictEqual(seen.size, 500);
      const job = await queue.getJob(added[7].id);
      assert.strictEqual(job.returnvalue, 14);
      assert.strictEqual(job.data.text, "\u00e4\u20ac".repeat(7));
      const counts = await queue.getJobCounts();
      assert.deepStrictEqual([counts.completed, counts.failed, counts.waiting], [500, 0, 0]);
    });
  });

  await check("bullmq: what fails is tried again", async () => {
    const tries = {};
    const work = async (job) => {
      tries[job.name] = (tries[job.name] || 0) + 1;
      if (job.name === "never" || tries[job.name] < 3) {
        throw new Error("meant to fail");
      }
      return "well";
    };
    await withQueue("again", work, async (queue) => {
      const options = { attempts: 3, backoff: { type: "fixed", delay: 5 } };
      await queue.add("third", {}, options);
      const never = await queue.add("never", {}, options);
      await until(async () => (await queue.getFailedCount()) === 1);
      await until(async () => (await queue.getCompletedCount()) === 1);
      assert.deepStrictEqual(tries, { third: 3, never: 3 });
      assert.strictEqual((await queue.getJob(never.id)).failedReason, "meant to fail");
    });
  });

  await check("bullmq: delays, priorities, the same id once", async () => {
    const queue = new Queue("order", { connection });
    await queue.pause();
    for (const priority of [5, 1, 9, 3]) {
      await queue.add(`p${priority}`, {}, { priority });
    }
    await queue.add("late", {}, { delay: 3600000 });
    await queue.add("only", {}, { jobId: "one" });
    await queue.add("only", {}, { jobId: "one" });
    const counts = await queue.getJobCounts("delayed", "prioritized", "paused");
    assert.deepStrictEqual(counts, { delayed: 1, prioritized: 4, paused: 1 });
    const names = [];
    const worker = new Worker("order", async (job) => names.push(job.name), { connection });
    await queue.resume();
    await until(() => names.length === 5);
    assert.deepStrictEqual(names, ["only", "p1", "p3", "p5", "p9"]);
    await (await queue.getDelayed())[0].promote();
    await until(() => names.includes("late"));
    await worker.close();
    await queue.obliterate({ force: true });
    await queue.close();
  });

  await check("bullmq: a parent waits for its children, events are told", async () => {
    const events = new QueueEvents("flow", { connection });
    await events.waitUntilReady();
    const flow = new FlowProducer({ connection });
    const work = async (job) => {
      if (job.name !== "parent") {
        return job.data.value;
      }
      return Object.values(await job.getChildrenValues()).reduce((sum, value) => sum + value, 0);
    };
    await withQueue("flow", work, async () => {
      const children = [1, 2, 3].map((value) => ({ name: "c", data: { value }, queueName: "flow" }));
      const tree = await flow.add({ name: "parent", queueName: "flow", children });
      assert.strictEqual(await tree.job.waitUntilFinished(events, 20000), 6);
    });
    await flow.close();
    await events.close();
  });
}

async function limits(client) {
  await check("rate-limiter-flexible: so many, and no more", async () => {
    const limiter = new RateLimiterRedis({ storeClient: client, points: 5, duration: 1000 });
    for (let i = 1; i <= 5; i++) {
      assert.strictEqual((await limiter.consume("who")).remainingPoints, 5 - i);
    }
    const refused = await limiter.consume("who").catch((answer) => answer);
    assert.strictEqual(refused.remainingPoints, 0);
    assert.ok(refused.msBeforeNext > 900000 && refused.msBeforeNext <= 1000000);
    await limiter.reward("who", 3);
    assert.strictEqual((await limiter.get("who")).consumedPoints, 3);
    await limiter.block("who", 500);
    assert.ok((await limiter.get("who")).msBeforeNext <= 500000);
    assert.strictEqual(await limiter.delete("who"), true);
  });
  await check("rate-limiter-flexible: two limits at once", async () => {
    const limiter = new BurstyRateLimiter(
      new RateLimiterRedis({ storeClient: client, keyPrefix: "a", points: 2, duration: 1000 }),
      new RateLimiterRedis({ storeClient: client, keyPrefix: "b", points: 3, duration: 1000 }),
    );
    const answers = await Promise.allSettled(Array.from({ length: 8 }, () => limiter.consume("x")));
    assert.strictEqual(answers.filter((answer) => answer.status === "fulfilled").length, 5);
  });
}

async function locks(client) {
  await check("redlock: one holder at a time", async () => {
    const redlock = new Redlock([client], { retryCount: 0, automaticExtensionThreshold: 100 });
    redlock.on("error", () => {}); // each refusal is one
    let lock = await redlock.acquire(["l1", "l2"], 60000);
    await assert.rejects(redlock.acquire(["l2"], 60000));
    lock = await lock.extend(90000);
    assert.ok((await client.pttl("l1")) > 60000);
    await lock.release();
    assert.strictEqual(await client.exists("l1", "l2"), 0);
    await assert.rejects(lock.release());
    await (await redlock.acquire(["l2"], 60000)).release();
  });
  await check("redlock: who waits gets it", async () => {
    const redlock = new Redlock([client], { retryCount: 2000, retryDelay: 5, retryJitter: 5 });
    let inside = 0;
    let count = 0;
    const turn = () =>
      redlock.using(["turn"], 60000, async () => {
        assert.strictEqual(++inside, 1);
        const seen = count;
        await client.ping();
        count = seen + 1;
        inside--;
      });
    await Promise.all(Array.from({ length: 10 }, turn));
    assert.strictEqual(count, 10);
  });
  await check("ioredis: commands of one's own, by name and in a pipeline", async () => {
    client.defineCommand("addTo", {
      numberOfKeys: 1,
      lua: "return {redis.call('incrby', KEYS[1], ARGV[1]), KEYS[1], cjson.encode({n = 1})}",
    });
    assert.deepStrictEqual(await client.addTo("sum", 5), [5, "sum", '{"n":1}']);
    const replies = await client.pipeline().addTo("sum", 2).addTo("sum", 3).exec();
    assert.deepStrictEqual(replies.map(([, reply]) => reply[0]), [7, 10]);
    await client.script("FLUSH");
    assert.strictEqual((await client.addTo("sum", 1))[0], 11);
  });
}

async function main() {
  const client = new IORedis(connection);
  await queues();
  await limits(client);
  await locks(client);
  client.disconnect();
  finish();
}

main();
