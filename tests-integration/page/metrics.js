// What monitoring reads: Prometheus and redis_exporter, the names in both, the rules and the dashboard.
"use strict";
const assert = require("node:assert");
const { spawn, spawnSync } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");
const { check, until, finish } = require("../frameworks/checks.js");
const { ask, freePort } = require("./ask.js");

const folder = process.env.LARDER_FOLDER;
const children = [];

// The exporter's own names for times that Prometheus would have in whole words; and of its own life.
const ABBREVIATED = /^redis_(aof_current_rewrite|aof_last_rewrite|rdb_current_bgsave|rdb_last_bgsave)_duration_sec /;
const ITS_OWN = /^redis_(exporter_|target_scrape|last_key_groups)/;

function run(program, args) {
  const child = spawn(program, args, { cwd: folder, stdio: "ignore" });
  children.push(child);
}

async function get(url, headers) {
  const answer = await fetch(url, { headers });
  assert.strictEqual(answer.status, 200, url);
  return answer.text();
}

const reads = (url) => get(url).then(() => true, () => false);
const namesIn = (text) => new Set([...text.matchAll(/^# TYPE (redis_\w+|larder_\w+) /gm)].map((found) => found[1]));

async function exporterOf(address) {
  const port = await freePort();
  run("prometheus-redis-exporter", ["-redis.addr", `redis://${address}`, "-web.listen-address", `127.0.0.1:${port}`]);
  await until(() => reads(`http://127.0.0.1:${port}/metrics`));
  return get(`http://127.0.0.1:${port}/metrics`);
}

function promtool(args, input) {
  const done = spawnSync("promtool", args, { input, encoding: "utf8" });
  return done.stdout + done.stderr;
}

async function main() {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/metrics`;
  await ask(`CONFIG SET http-port ${port} http-bind 127.0.0.1`, "CONFIG SET slowlog-log-slower-than 0",
    "SET a 1 EX 100", "GET a", "GET b", "LPUSH a x");

  await check("promtool finds nothing but what the exporter named", async () => {
    const lines = promtool(["check", "metrics"], await get(url)).split("\n").filter((line) => line !== "");
    assert.deepStrictEqual(lines.filter((line) => !ABBREVIATED.test(line)), []);
  });

  await check("names are the exporter's", async () => {
    const redis = await freePort();
    run("redis-server", ["--port", String(redis), "--save", "", "--dir", folder]);
    await until(() => ask.to(redis, "SET a 1 EX 100", "GET a", "GET b", "LPUSH a x").then(() => true, () => false));
    await ask.to(redis, "CONFIG SET slowlog-log-slower-than 0", "GET a");
    const ours = namesIn(await get(url));
    const theirs = namesIn(await exporterOf(`127.0.0.1:${redis}`));
    assert.ok(theirs.size > 100);
    assert.deepStrictEqual([...theirs].filter((name) => !ITS_OWN.test(name) && !ours.has(name)), []);
  });

  await check("the exporter reads this server too", async () => {
    const text = await exporterOf(`127.0.0.1:${process.env.LARDER_PORT}`);
    assert.match(text, /^redis_up 1$/m);
    assert.match(text, /^redis_db_keys\{db="db0"\} 1$/m);
    assert.match(text, /^redis_exporter_last_scrape_error\{err=""\} 0$/m);
  });

  await check("rules and dashboard name what there is", async () => {
    const alerts = fs.readFileSync("utils/alerts.yml", "utf8");
    const dashboard = fs.readFileSync("utils/grafana-dashboard.json", "utf8");
    assert.match(promtool(["check", "rules", "utils/alerts.yml"]), /SUCCESS/);
    JSON.parse(dashboard);
    const names = namesIn(await get(url));
    for (const [name] of (alerts + dashboard).matchAll(/\b(redis|larder)_[a-z0-9_]+/g)) {
      assert.ok(names.has(name.replace(/_bucket$/, "")), name);
    }
  });

  await check("Prometheus reads it", async () => {
    const listen = await freePort();
    const config = path.join(folder, "prometheus.yml");
    fs.writeFileSync(config, [
      "global: {scrape_interval: 1s, evaluation_interval: 1s}",
      `rule_files: ["${path.resolve("utils/alerts.yml")}"]`,
      "scrape_configs:",
      "  - job_name: larder",
      `    static_configs: [{targets: ["127.0.0.1:${port}"]}]`, ""].join("\n"));
    run("prometheus", [`--config.file=${config}`, `--storage.tsdb.path=${path.join(folder, "prometheus")}`,
      `--web.listen-address=127.0.0.1:${listen}`]);
    const query = async (text) => {
      const answer = await fetch(`http://127.0.0.1:${listen}/api/v1/query?query=${encodeURIComponent(text)}`)
        .then((response) => response.json()).catch(() => ({})); // it is not ready yet
      return answer.data && answer.data.result.length > 0 ? Number(answer.data.result[0].value[1]) : NaN;
    };
    await until(async () => (await query("up")) === 1);
    await until(async () => (await query("redis_commands_processed_total")) > 3);
    assert.ok((await query("larder_request_duration_seconds_count")) > 0);
    assert.strictEqual(await query("larder_health"), 0);
    assert.ok((await query("histogram_quantile(0.5, larder_request_duration_seconds_bucket)")) > 0);
    assert.ok((await query('redis_latency_percentiles_usec{cmd="get",quantile="0.5"}')) > 0);
    const rules = await fetch(`http://127.0.0.1:${listen}/api/v1/rules`).then((response) => response.json());
    assert.ok(rules.data.groups[0].rules.every((rule) => rule.health !== "err"));
  });
}

main().then(() => {
  children.forEach((child) => child.kill());
  finish();
}, (error) => {
  console.log(error.stack);
  children.forEach((child) => child.kill());
  process.exit(1);
});
