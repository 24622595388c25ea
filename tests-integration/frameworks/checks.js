// What the checks in JavaScript share: they run one after the other, and the last line counts them.
"use strict";
const assert = require("node:assert");

let passed = 0;
let failed = 0;

async function check(name, body) {
  try {
    await body();
    passed++;
  } catch (problem) {
    failed++;
    console.log(`FAILED ${name}: ${problem.stack}`);
  }
}

async function until(condition) {
  const end = Date.now() + 20000;
  while (!(await condition())) {
    assert.ok(Date.now() < end, "it never came true");
    await new Promise(setImmediate); // what is answered from memory lets no message in
  }
}

function finish() {
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed === 0 ? 0 : 1);
}

module.exports = { check, until, finish };
