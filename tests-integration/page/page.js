// The page in Chromium: it draws, it follows what the server does, it says what is wrong when something is.
"use strict";
const assert = require("node:assert");
const fs = require("node:fs");
const path = require("node:path");
const { chromium } = require("playwright-core");
const { check, until, finish } = require("../frameworks/checks.js");
const { ask, freePort } = require("./ask.js");

const folder = process.env.LARDER_FOLDER;
const CHARTS = 9;
const PAGE_BYTES_MAX = 60000;

const textOf = (page, selector) => page.locator(selector).textContent();

// Until the text of an element is as it should be. The page's own policy forbids what the driver would do
// to wait in the page.
async function becomes(page, selector, pattern) {
  await until(async () => pattern.test(await textOf(page, selector)));
}

const healthBecomes = (page, pattern) => becomes(page, "#health", pattern);

// Pixels of each chart that are drawn.
const drawn = (page) => page.evaluate(() =>
  [...document.querySelectorAll(".chart canvas")].map((canvas) => {
    const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    let count = 0;
    for (let i = 3; i < data.length; i += 4) {
      count += data[i] > 0;
    }
    return count;
  }));

async function main() {
  const port = await freePort();
  const base = `http://127.0.0.1:${port}`;
  assert.match(await ask(`CONFIG SET http-port ${port} http-bind 127.0.0.1`), /^\+OK/);
  const options = {
    executablePath: process.env.CHROMIUM || "chromium",
    headless: true,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  };
  const found = (process.env.PATH || "").split(":").map((one) => path.join(one, options.executablePath))
    .find((one) => fs.existsSync(one));
  options.executablePath = found || options.executablePath;
  const profile = path.join(folder, "browser");
  fs.mkdirSync(profile);
  const browser = await chromium.launchPersistentContext(profile, options);
  const page = await browser.newPage();
  const problems = [];
  const asked = [];
  let bytes = 0;
  page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("request", (request) => asked.push(request.url()));
  page.on("response", async (response) => {
    if (/\/ui/.test(response.url())) {
      bytes += (await response.body()).length;
    }
  });

  await check("it draws", async () => {
    await page.goto(`${base}/ui`);
    await healthBecomes(page, /^Healthy/);
    await becomes(page, "#keys", /^0$/);
    const pixels = await drawn(page);
    assert.strictEqual(pixels.length, CHARTS);
    pixels.forEach((count) => assert.ok(count > 300, `a chart has ${count} pixels`));
    assert.match(await textOf(page, "#memory-text"), /without a limit/);
  });

  await check("it is small and asks nobody else", async () => {
    assert.ok(bytes > 1000 && bytes < PAGE_BYTES_MAX, `${bytes} bytes`);
    asked.forEach((url) => assert.ok(url.startsWith(`${base}/`), url));
  });

  await check("it follows", async () => {
    const before = (await drawn(page))[6];
    const sets = [];
    for (let i = 0; i < 300; i++) {
      sets.push(`SET fruit:${i} ${"x".repeat(i + 1)}`, "GET fruit:7", "GET nothing");
    }
    await ask(...sets, "SETRANGE fruit:299 50000 x", "LPUSH fruit:1 a",
      "CONFIG SET slowlog-log-slower-than 0", "GET fruit:8", "CONFIG SET slowlog-log-slower-than 10000");
    await becomes(page, "#keys", /^300$/);
    await becomes(page, "#keys-used", /fruit:7/);
    await becomes(page, "#keys-largest", /fruit:299/);
    await becomes(page, "#errors", /WRONGTYPE/);
    await becomes(page, "#hit-hour", /^(4[5-9]|50)/);
    await becomes(page, "#slow", /GET fruit:8/);
    assert.match(await textOf(page, "#commands"), /GET/);
    assert.ok((await drawn(page))[6] > before);
    assert.strictEqual(await page.locator("#estimate .column").count(), 4);
  });

  await check("the last day can be chosen", async () => {
    await page.click("#by-minute");
    assert.strictEqual(await page.getAttribute("#by-minute", "aria-pressed"), "true");
    assert.strictEqual(await page.getAttribute("#by-second", "aria-pressed"), "false");
    await page.click("#by-second");
    await page.hover(".chart canvas");
    await becomes(page, "#when", /./);
  });

  await check("it fits a phone and the dark", async () => {
    await page.emulateMedia({ colorScheme: "dark" });
    await page.setViewportSize({ width: 360, height: 740 });
    const [wide, back] = await page.evaluate(() =>
      [document.documentElement.scrollWidth, getComputedStyle(document.body).backgroundColor]);
    assert.ok(wide <= 360, `${wide} pixels wide`);
    assert.match(back, /rgb\((1|2|3)\d, /);
    await page.setViewportSize({ width: 1280, height: 800 });
  });

  await check("it says that memory is full", async () => {
    const used = Number(/used_memory:(\d+)/.exec(await ask("INFO memory"))[1]);
    await ask(`CONFIG SET maxmemory ${used + 200000} maxmemory-policy noeviction`);
    let answer = "";
    for (let i = 0; !/OOM/.test(answer); i++) {
      assert.ok(i < 2000);
      answer = await ask(...Array.from({ length: 20 }, (_, j) => `SET big:${i}:${j} ${"y".repeat(900)}`));
    }
    await healthBecomes(page, /^Memory is full .*noeviction/);
    assert.match(await page.getAttribute("#health", "class"), /unwell/);
    await ask("CONFIG SET maxmemory 0");
    await healthBecomes(page, /^Healthy/);
  });

  await check("it says that a save failed", async () => {
    const file = path.join(folder, "dump.rdb");
    fs.mkdirSync(file); // in the way
    assert.match(await ask("SAVE"), /^-ERR/);
    await healthBecomes(page, /^The last save failed/);
    fs.rmdirSync(file);
    assert.match(await ask("SAVE"), /^\+OK/);
    await healthBecomes(page, /^Healthy/);
  });

  await check("nothing was complained of", async () => {
    assert.deepStrictEqual(problems, []);
  });

  await check("it wants a password where there is one", async () => {
    await ask("CONFIG SET requirepass secret");
    const answer = await fetch(`${base}/ui`);
    assert.strictEqual(answer.status, 401);
    assert.match(answer.headers.get("www-authenticate"), /^Basic/); // a browser asks for a password then
    const login = Buffer.from("default:secret").toString("base64");
    await page.setExtraHTTPHeaders({ Authorization: `Basic ${login}` });
    await page.goto(`${base}/ui`);
    await healthBecomes(page, /^Healthy/);
  });

  await browser.close();
  finish();
}

main().catch((error) => {
  console.log(error.stack);
  process.exit(1);
});
