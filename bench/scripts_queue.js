// BullMQ adds jobs and one worker does them: prints jobs a second, of adding and doing together. For bench/scripts.
//
//     node scripts_queue.js PORT JOBS
"use strict";
const { Queue, Worker } = require("bullmq");

async function main() {
  const connection = { host: "127.0.0.1", port: Number(process.argv[2]) };
  const jobs = Number(process.argv[3]);
  const batch = 1000;
  const name = `bench-${process.pid}`;
  const queue = new Queue(name, { connection });
  await queue.waitUntilReady();
  const began = process.hrtime.bigint();
  for (let i = 0; i < jobs; i += batch) {
    await queue.addBulk(Array.from({ length: Math.min(batch, jobs - i) }, (_, at) => ({
      name: "job",
      data: { number: i + at, text: "x".repeat(50) },
      opts: { removeOnComplete: true },
    })));
  }
  const added = process.hrtime.bigint();
  let done = 0;
  const all = new Promise((resolve) => {
    const work = async () => {
      if (++done === jobs) resolve();
    };
    new Worker(name, work, { connection });
  });
  await all;
  const end = process.hrtime.bigint();
  const rate = (from, to) => (jobs / Number(to - from)) * 1e9;
  console.log(JSON.stringify({ added: rate(began, added), done: rate(added, end), both: rate(began, end) }));
  process.exit(0);
}

main();
