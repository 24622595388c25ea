/* The page asks /v1/stats once a second for what is new and draws it. History is kept here in two
 * rings that are those of the server; each answer brings the points that are missing. */
"use strict";

const RINGS = {
  seconds: { size: 900, step: 1, next: 0, time: 0, series: {} },
  minutes: { size: 1440, step: 60, next: 0, time: 0, series: {} },
};
const KINDS = [
  ["data", "values", "--blue"],
  ["tables", "tables", "--teal"],
  ["buffers", "connections", "--amber"],
  ["other", "server", "--slate"],
];
const PERIOD_MS = 1000;

let ring = RINGS.seconds;
let runId = "";
let latest = null;
let cursor = -1; /* which point the pointer is at, counted from the oldest place; -1: none */
let failures = 0;

const byId = (id) => document.getElementById(id);

/* ---- numbers in words ---- */

function count(value) {
  if (value === null || value === undefined) {
    return ["–", ""];
  }
  const size = Math.abs(value);
  if (size >= 1e9) {
    return [(value / 1e9).toFixed(size >= 1e10 ? 1 : 2), "G"];
  }
  if (size >= 1e6) {
    return [(value / 1e6).toFixed(size >= 1e7 ? 1 : 2), "M"];
  }
  if (size >= 1e4) {
    return [(value / 1e3).toFixed(1), "k"];
  }
  if (size > 0 && size < 10 && value % 1 !== 0) {
    return [value.toFixed(1), ""];
  }
  return [Math.round(value).toLocaleString("en"), ""];
}

function bytes(value) {
  const units = ["B", "KB", "MB", "GB", "TB"];
  let unit = 0;
  while (Math.abs(value) >= 1000 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = unit === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return [value.toFixed(digits), units[unit]];
}

function duration(us) {
  if (us === null || us === undefined) {
    return ["–", ""];
  }
  if (us >= 1e6) {
    return [(us / 1e6).toFixed(us >= 1e7 ? 1 : 2), "s"];
  }
  if (us >= 1e3) {
    return [(us / 1e3).toFixed(us >= 1e5 ? 0 : us >= 1e4 ? 1 : 2), "ms"];
  }
  return [us.toFixed(us >= 100 || us === 0 ? 0 : us >= 10 ? 1 : 2), "µs"];
}

function percent(ratio) {
  if (ratio === null || ratio === undefined) {
    return ["–", ""];
  }
  const value = ratio * 100;
  return [value >= 99.95 || value === 0 ? value.toFixed(0) : value.toFixed(value >= 99 ? 2 : 1), "%"];
}

function uptime(seconds) {
  if (seconds >= 172800) {
    return [Math.floor(seconds / 86400), "days"];
  }
  if (seconds >= 7200) {
    return [Math.floor(seconds / 3600), "hours"];
  }
  return seconds >= 120 ? [Math.floor(seconds / 60), "min"] : [seconds, "s"];
}

const text = ([value, unit]) => (unit === "" ? String(value) : value + " " + unit);

/* ---- elements ---- */

function element(name, className, content) {
  const made = document.createElement(name);
  if (className) {
    made.className = className;
  }
  if (content !== undefined) {
    made.textContent = content;
  }
  return made;
}

/* A number with its unit set small. */
function show(id, [value, unit]) {
  const target = byId(id);
  target.textContent = value;
  if (unit !== "") {
    target.append(element("small", "", unit));
  }
}

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function dot(name) {
  const made = element("span", "dot");
  made.style.background = "var(" + name + ")";
  return made;
}

/* ---- what is known of the past ---- */

function takePoints(target, fresh) {
  if (!fresh) {
    return;
  }
  for (const [name, values] of Object.entries(fresh.series)) {
    const all = target.series[name] || [];
    all.push(...values);
    if (all.length > target.size) {
      all.splice(0, all.length - target.size);
    }
    target.series[name] = all;
  }
  target.next = fresh.next;
  target.time = fresh.time_s;
}

function forgetPoints() {
  for (const one of Object.values(RINGS)) {
    one.next = 0;
    one.series = {};
  }
}

/* A series by name, one value a place; what is missing is null. */
function points(name) {
  return ring.series[name] || [];
}

const perSecond = (name) => points(name).map((value) => (value === null ? null : value / ring.step));
const asMicroseconds = (name) =>
  points(name).map((value) => (value === null || value === 0 ? null : value / 1000));

function hitRatio() {
  const misses = points("misses");
  return points("hits").map((hits, i) =>
    hits === null || hits + misses[i] === 0 ? null : hits / (hits + misses[i]));
}

/* ---- charts ---- */

const CHARTS = [
  {
    title: "Requests a second",
    lines: [{ colour: "--blue", fill: true, values: () => perSecond("requests") }],
    form: count,
  },
  {
    title: "Hit ratio",
    lines: [{ colour: "--teal", fill: true, values: hitRatio }],
    form: percent,
    most: 1,
  },
  {
    title: "Latency, waiting included",
    lines: [
      { name: "p99.9", colour: "--red", values: () => asMicroseconds("p999") },
      { name: "p99", colour: "--amber", values: () => asMicroseconds("p99") },
      { name: "median", colour: "--blue", values: () => asMicroseconds("p50") },
    ],
    form: duration,
    logarithmic: true,
  },
  {
    title: "Memory",
    lines: KINDS.map(([name, label, shade]) => ({
      name: label, colour: shade, values: () => points(name),
    })),
    form: bytes,
    stacked: true,
    limit: () => (latest ? latest.memory.limit : 0),
  },
  {
    title: "Evicted and expired a second",
    lines: [
      { name: "evicted", colour: "--red", fill: true, values: () => perSecond("evicted") },
      { name: "expired", colour: "--violet", values: () => perSecond("expired") },
    ],
    form: count,
  },
  {
    title: "Network a second",
    lines: [
      { name: "out", colour: "--blue", fill: true, values: () => perSecond("output") },
      { name: "in", colour: "--teal", values: () => perSecond("input") },
    ],
    form: bytes,
  },
  { title: "Keys", lines: [{ colour: "--violet", fill: true, values: () => points("keys") }], form: count },
  { title: "Clients", lines: [{ colour: "--amber", fill: true, values: () => points("clients") }], form: count },
  {
    title: "Misses a second",
    lines: [{ colour: "--red", fill: true, values: () => perSecond("misses") }],
    form: count,
  },
];

const LEFT = 52;
const BOTTOM = 18;
const TOP = 6;

/* A round number that is not below the value, its half round too; of bytes, in their units. */
function ceiling(value, form) {
  if (value <= 0) {
    return 1;
  }
  const base = form === bytes ? Math.pow(1024, Math.floor(Math.log(value) / Math.log(1024))) : 1;
  const power = Math.pow(10, Math.floor(Math.log10(value / base)));
  const steps = [1, 2, 4, 6, 8, 10];
  const found = steps.find((step) => step * power * base >= value);
  return (found === undefined ? 10 : found) * power * base;
}

/* Where values are on the axis: from 0 at its lower end to 1, and the lines across. */
function scaleOf(chart, all) {
  let most = 0;
  let least = Infinity;
  for (const values of all) {
    for (const value of values) {
      if (value !== null) {
        most = value > most ? value : most;
        least = value > 0 && value < least ? value : least;
      }
    }
  }
  if (chart.logarithmic) {
    const low = Math.floor(Math.log10(least === Infinity ? 10 : least));
    const high = Math.max(low + 2, Math.ceil(Math.log10(most || 1000)));
    const marks = [];
    for (let power = low; power <= high; power++) {
      marks.push(Math.pow(10, power));
    }
    return { at: (value) => (Math.log10(Math.max(value, Math.pow(10, low))) - low) / (high - low), marks };
  }
  const limit = chart.limit ? chart.limit() : 0;
  if (limit > 0 && most > limit / 4) {
    most = Math.max(most, limit);
  }
  const top = chart.most || ceiling(most * 1.02, chart.form);
  const whole = top === 1 && chart.form === count;
  return { at: (value) => value / top, marks: whole ? [0, 1] : [0, top / 2, top] };
}

function stack(all) {
  const sums = [];
  return all.map((values) =>
    values.map((value, i) => {
      if (value === null) {
        return null;
      }
      sums[i] = (sums[i] || 0) + value;
      return sums[i];
    }));
}

/* Runs of known values become paths. */
function trace(context, values, x, y, each) {
  let open = false;
  values.forEach((value, i) => {
    if (value === null) {
      open = false;
      return;
    }
    each(context, x(i), y(value), open, i);
    open = true;
  });
}

function drawArea(context, values, floor, x, y) {
  let start = -1;
  const close = (end) => {
    if (start < 0) {
      return;
    }
    context.beginPath();
    for (let i = start; i < end; i++) {
      context.lineTo(x(i), y(values[i]));
    }
    for (let i = end - 1; i >= start; i--) {
      context.lineTo(x(i), y(floor ? floor[i] : 0));
    }
    context.fill();
    start = -1;
  };
  for (let i = 0; i < values.length; i++) {
    if (values[i] === null) {
      close(i);
    } else if (start < 0) {
      start = i;
    }
  }
  close(values.length);
}

function drawLine(context, values, x, y) {
  context.beginPath();
  trace(context, values, x, y, (path, px, py, open, i) => {
    if (open) {
      path.lineTo(px, py);
    } else {
      path.moveTo(px, py);
      if (values[i + 1] === null || i + 1 === values.length) {
        path.lineTo(px + 1, py); /* alone among gaps */
      }
    }
  });
  context.stroke();
}

function clock(seconds) {
  const form = { hour: "2-digit", minute: "2-digit" };
  if (seconds % 60 !== 0) {
    form.second = "2-digit";
  }
  return new Date(seconds * 1000).toLocaleTimeString("en-GB", form);
}

/* Points on the axis: as many as there are for a server that has not run for long, rounded up. */
function spanOf() {
  const known = points("requests").length;
  const spans = ring.step === 1 ? [60, 120, 300, 600, 900] : [60, 180, 360, 720, 1440];
  return spans.find((span) => span >= known) || ring.size;
}

/* Round times that are on the axis. */
function timeMarks() {
  const span = spanOf() * ring.step;
  const every = [15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600].find((step) => step * 5 >= span) || 21600;
  const marks = [];
  const offset = new Date(ring.time * 1000).getTimezoneOffset() * 60;
  for (let at = Math.ceil((ring.time - span - offset) / every) * every + offset; at <= ring.time; at += every) {
    marks.push(at);
  }
  return marks;
}

/* Marks are round numbers. */
const axisText = ([value, unit]) => text([String(value).replace(/\.0+$/, ""), unit]);

function drawAxes(context, chart, scale, width, height, place) {
  const shade = { line: colour("--line"), text: colour("--faint") };
  context.font = "11px system-ui, sans-serif";
  context.fillStyle = shade.text;
  context.strokeStyle = shade.line;
  context.lineWidth = 1;
  context.textAlign = "right";
  context.textBaseline = "middle";
  for (const mark of scale.marks) {
    const y = Math.round(place.y(mark)) + 0.5;
    context.beginPath();
    context.moveTo(LEFT, y);
    context.lineTo(width, y);
    context.stroke();
    context.fillText(mark === 0 ? "0" : axisText(chart.form(mark)), LEFT - 6, y);
  }
  context.textAlign = "center";
  context.textBaseline = "alphabetic";
  for (const mark of timeMarks()) {
    const x = place.x(spanOf() - 1 - (ring.time - mark) / ring.step);
    if (x > LEFT + 14 && x < width - 14) {
      context.fillText(clock(mark), x, height - 3);
    }
  }
}

function drawLimit(context, chart, width, place, scale) {
  const limit = chart.limit ? chart.limit() : 0;
  if (limit > 0 && scale.at(limit) <= 1) {
    context.setLineDash([4, 3]);
    context.strokeStyle = colour("--muted");
    context.beginPath();
    context.moveTo(LEFT, Math.round(place.y(limit)) + 0.5);
    context.lineTo(width, Math.round(place.y(limit)) + 0.5);
    context.stroke();
    context.setLineDash([]);
  }
}

function drawChart(chart) {
  const canvas = chart.canvas;
  const ratio = window.devicePixelRatio || 1;
  const width = canvas.clientWidth;
  const height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  const raw = chart.lines.map((line) => line.values());
  const all = chart.stacked ? stack(raw) : raw;
  const scale = scaleOf(chart, all);
  const span = spanOf();
  const missing = span - (all[0] ? all[0].length : 0);
  const place = {
    x: (i) => LEFT + (i / (span - 1)) * (width - LEFT - 1),
    y: (value) => TOP + (1 - scale.at(value)) * (height - TOP - BOTTOM),
  };
  const x = (i) => place.x(i + missing);
  drawAxes(context, chart, scale, width, height, place);
  context.save();
  context.beginPath();
  context.rect(LEFT, 0, width - LEFT, height - BOTTOM + 1);
  context.clip();
  chart.lines.forEach((line, i) => {
    const shade = colour(line.colour);
    context.fillStyle = shade;
    context.strokeStyle = shade;
    context.lineWidth = 1.5;
    context.lineJoin = "round";
    if (chart.stacked || line.fill) {
      context.globalAlpha = chart.stacked ? 0.85 : 0.13;
      drawArea(context, all[i], chart.stacked && i > 0 ? all[i - 1] : null, x, place.y);
      context.globalAlpha = 1;
    }
    if (!chart.stacked) {
      drawLine(context, all[i], x, place.y);
    }
  });
  drawLimit(context, chart, width, place, scale);
  if (cursor >= 0) {
    context.strokeStyle = colour("--muted");
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(Math.round(place.x(cursor)) + 0.5, 0);
    context.lineTo(Math.round(place.x(cursor)) + 0.5, height - BOTTOM);
    context.stroke();
  }
  context.restore();
  drawLegend(chart, raw, missing);
}

/* The values where the pointer is, or the newest. */
function drawLegend(chart, raw, missing) {
  const items = chart.lines.map((line, i) => {
    const at = cursor >= 0 ? cursor - missing : raw[i].length - 1;
    const value = at >= 0 && at < raw[i].length ? raw[i][at] : null;
    const item = element("li");
    if (chart.lines.length > 1) {
      item.append(dot(line.colour), line.name + " ");
    }
    item.append(element("b", "", value === null ? "–" : text(chart.form(value))));
    return item;
  });
  chart.legend.replaceChildren(...items);
}

function drawAll() {
  CHARTS.forEach(drawChart);
  const shown = cursor >= 0 ? ring.time - (spanOf() - 1 - cursor) * ring.step : 0;
  byId("when").textContent = cursor < 0 ? "" : new Date(shown * 1000).toLocaleString("en-GB");
}

function moveCursor(event) {
  const box = event.currentTarget.getBoundingClientRect();
  const part = (event.clientX - box.left - LEFT) / (box.width - LEFT - 1);
  cursor = part < 0 || part > 1 ? -1 : Math.round(part * (spanOf() - 1));
  drawAll();
}

function makeCharts() {
  for (const chart of CHARTS) {
    const card = element("figure", "card chart");
    chart.legend = element("ul", "legend");
    chart.canvas = element("canvas");
    chart.canvas.setAttribute("role", "img");
    chart.canvas.setAttribute("aria-label", chart.title);
    chart.canvas.addEventListener("pointermove", moveCursor);
    chart.canvas.addEventListener("pointerdown", moveCursor);
    chart.canvas.addEventListener("pointerleave", () => {
      cursor = -1;
      drawAll();
    });
    card.append(element("h2", "", chart.title), chart.legend, chart.canvas);
    byId("charts").append(card);
  }
}

/* ---- the line of truth ---- */

function showHealth(state, sentence) {
  const health = byId("health");
  health.className = "health " + state;
  if (health.textContent !== sentence) {
    health.textContent = sentence;
  }
}

function showNow(stats) {
  const now = stats.now;
  show("hit", percent(now.hit_ratio));
  byId("hit-hour").textContent = text(percent(now.hit_ratio_hour));
  show("requests", count(now.requests_per_s));
  for (const name of ["p50", "p99", "p999"]) {
    show(name, duration(now.requests_per_s > 0 ? now[name + "_us"] : null));
  }
  show("keys", count(now.keys));
  byId("expired").textContent = text(count(now.expired_per_s));
  show("evicted", count(now.evicted_per_s));
  show("clients", count(now.clients));
  byId("clients-max").textContent = now.clients_max.toLocaleString("en");
  const out = bytes(now.output_bytes_per_s);
  show("output", [out[0], out[1] + "/s"]);
  byId("input").textContent = text(bytes(now.input_bytes_per_s)) + "/s";
  byId("about").textContent =
    "up " + text(uptime(stats.server.uptime_s)) + " · " + location.host + " · version " +
    stats.server.version;
}

function showMemory(memory) {
  const limit = memory.limit;
  byId("memory-text").textContent =
    limit > 0
      ? text(bytes(memory.counted)) + " of " + text(bytes(limit)) + " (" +
        Math.round((100 * memory.counted) / limit) + " %)"
      : text(bytes(memory.used)) + ", without a limit";
  byId("memory-more").textContent =
    memory.policy + " · peak " + text(bytes(memory.peak)) + " · resident " + text(bytes(memory.resident));
  const bar = byId("memory-bar");
  const legend = byId("memory-legend");
  if (bar.children.length === 0) {
    for (const [, , shade] of KINDS) {
      const part = element("span");
      part.style.background = "var(" + shade + ")";
      bar.append(part);
    }
    bar.append(element("span"));
  }
  const free = Math.max(limit - memory.counted, 0);
  KINDS.forEach(([name], i) => {
    bar.children[i].style.flexGrow = memory.kinds[name];
  });
  bar.children[KINDS.length].style.flexGrow = free;
  const items = KINDS.map(([name, label, shade]) => {
    const item = element("li");
    item.append(dot(shade), label + " ", element("b", "", text(bytes(memory.kinds[name]))));
    return item;
  });
  if (limit > 0) {
    const item = element("li");
    item.append(dot("--track"), "free ", element("b", "", text(bytes(free))));
    items.push(item);
  }
  legend.replaceChildren(...items);
}

/* ---- lists ---- */

/* Rows of cells; a cell is a text or [text, class, share of a bar]. */
function fill(id, heads, rows, none) {
  const table = byId(id);
  if (rows === undefined || rows.length === 0) {
    const row = element("tr");
    row.append(element("td", "none", rows === undefined ? "This user may not see them." : none));
    table.replaceChildren(row);
    return;
  }
  const head = element("tr");
  head.append(...heads.map((name) => element("th", "", name)));
  table.replaceChildren(head, ...rows.map((cells) => {
    const row = element("tr");
    row.append(...cells.map((cell) => {
      const [content, className, share] = Array.isArray(cell) ? cell : [cell, ""];
      const made = element("td", className, content);
      if (className === "code") {
        made.title = content;
      }
      if (share !== undefined) {
        const bar = element("span", "share");
        bar.style.width = Math.max(share * 100, 0.5) + "%";
        made.append(bar);
      }
      return made;
    }));
    return row;
  }));
}

function keyName(key) {
  const cut = key.name_bytes > 96 ? "…" : "";
  return (key.db > 0 ? "db" + key.db + "  " : "") + key.key + cut;
}

function ago(seconds) {
  if (seconds < 60) {
    return Math.max(Math.round(seconds), 0) + " s ago";
  }
  return seconds < 5400 ? Math.round(seconds / 60) + " min ago" : Math.round(seconds / 3600) + " h ago";
}

function showLists(stats) {
  const total = stats.commands.reduce((sum, command) => sum + command.busy_us, 0) || 1;
  fill("commands", ["command", "calls", "failed", "median", "p99", "longest"],
    stats.commands.map((command) => [
      [command.name.replace("|", " ").toUpperCase(), "code", command.busy_us / total],
      text(count(command.calls)),
      [text(count(command.failed)), command.failed > 0 ? "" : "dim"],
      text(duration(command.p50_us)),
      text(duration(command.p99_us)),
      [text(duration(command.max_us)), "dim"],
    ]), "No command has been called.");
  const used = stats.keys_used;
  const busiest = used && used.length > 0 ? used[0].per_s : 1;
  fill("keys-used", ["key", "a second"],
    used && used.map((key) => [[keyName(key), "code", key.per_s / busiest], text(count(key.per_s))]),
    "No key has been used.");
  const large = stats.keys_largest;
  const largest = large && large.length > 0 ? large[0].bytes : 1;
  fill("keys-largest", ["key", "type", "size"],
    large && large.map((key) => [
      [keyName(key), "code", key.bytes / largest], [key.type, "dim"], text(bytes(key.bytes))]),
    "There are no keys.");
  fill("slow", ["command", "when", "took"],
    stats.slow && stats.slow.map((entry) => [
      [entry.command, "code"],
      [ago(stats.server.time_ms / 1000 - entry.time_s), "dim"],
      text(duration(entry.us))]),
    "No command was slow.");
  fill("errors", ["kind", "times"],
    [...stats.errors].sort((a, b) => b.count - a.count)
      .map((error) => [[error.code, "code"], text(count(error.count))]),
    "There were no errors.");
}

function showEstimate(stats) {
  const sizes = stats.memory_estimate;
  const base = stats.memory.limit > 0 ? stats.memory.limit : stats.memory.used;
  const known = sizes.every((size) => size.miss_ratio !== null);
  byId("estimate").replaceChildren(...(known ? sizes : []).map((size) => {
    const made = element("div", "column" + (size.times === 1 ? " now" : ""));
    const tank = element("div", "tank");
    const level = element("div", "fill");
    level.style.height = (1 - size.miss_ratio) * 100 + "%";
    tank.append(level);
    const label = size.times === 1 ? "now" : size.times === 0.5 ? "half" : size.times + " ×";
    made.append(tank, element("b", "", text(percent(1 - size.miss_ratio))),
      element("span", "", label + ", " + text(bytes(base * size.times))));
    return made;
  }));
  byId("estimate-note").textContent = known
    ? "Hit ratio by memory, as a cache would have that evicts what was used longest ago; " +
      "estimated from a sample of the keys."
    : "Not enough has been read yet to tell.";
}

/* ---- asking ---- */

function takeStats(stats) {
  if (stats.server.run_id !== runId) {
    const first = runId === "";
    runId = stats.server.run_id;
    if (!first) {
      forgetPoints(); /* it has been started anew: all is asked for again */
      return;
    }
  }
  latest = stats;
  takePoints(RINGS.seconds, stats.seconds);
  takePoints(RINGS.minutes, stats.minutes);
  showHealth(stats.health.state, stats.health.text);
  document.title = (stats.health.state === "well" ? "" : "⚠ ") + "Larder · " + location.host;
  showNow(stats);
  showMemory(stats.memory);
  showLists(stats);
  showEstimate(stats);
  drawAll();
}

async function ask() {
  try {
    const url = "v1/stats?seconds=" + RINGS.seconds.next + "&minutes=" + RINGS.minutes.next;
    const answer = await fetch(url, { cache: "no-store", signal: AbortSignal.timeout(10000) });
    if (!answer.ok) {
      const problem = await answer.json().catch(() => ({}));
      throw new Error(problem.detail || "status " + answer.status);
    }
    const stats = await answer.json();
    failures = 0;
    document.body.classList.remove("silent");
    takeStats(stats);
  } catch (error) {
    failures++;
    document.body.classList.add("silent");
    const refused = /NOPERM|NOAUTH|WRONGPASS|LOADING|BUSY/.test(error.message);
    showHealth("unwell", refused ? error.message : "The server does not answer.");
  }
  setTimeout(ask, document.hidden ? 10 * PERIOD_MS : PERIOD_MS);
}

function choose(name) {
  ring = RINGS[name];
  cursor = -1;
  byId("by-second").setAttribute("aria-pressed", String(name === "seconds"));
  byId("by-minute").setAttribute("aria-pressed", String(name === "minutes"));
  drawAll();
}

makeCharts();
byId("by-second").addEventListener("click", () => choose("seconds"));
byId("by-minute").addEventListener("click", () => choose("minutes"));
window.addEventListener("resize", drawAll);
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
ask();
