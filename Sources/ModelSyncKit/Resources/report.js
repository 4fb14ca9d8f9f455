"use strict";
// What the report says is put into the page as text alone: never as markup, never as an address.

const byId = (id) => document.getElementById(id);

/** An element with attributes (a function is a listener) and children. */
function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(key, value);
    else if (value != null) node.setAttribute(key, value);
  }
  node.append(...children.filter((child) => child != null));
  return node;
}

function svg(name, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

// Figures, as the program prints them.

function bytes(count) {
  const units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
  let unit = 0;
  let value = count;
  while (value >= 999.5 && unit < units.length - 1) { value /= 1000; unit += 1; }
  return (unit === 0 ? count : value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0)) + " " + units[unit];
}

function duration(seconds) {
  if (seconds < 59.95) return seconds.toFixed(seconds < 9.95 ? 2 : 1) + " s";
  const whole = Math.round(seconds);
  if (whole >= 172800) return Math.floor(whole / 86400) + " d " + Math.floor(whole / 3600) % 24 + " h";
  if (whole < 3600) return Math.floor(whole / 60) + " min " + whole % 60 + " s";
  return Math.floor(whole / 3600) + " h " + Math.floor(whole / 60) % 60 + " min";
}

const rate = (perSecond) => bytes(Math.round(perSecond)) + "/s";
const number = (count) => count.toLocaleString("en");
const counted = (count, noun) => number(count) + " " + noun + (count === 1 ? "" : "s");

/** The round number above which a scale of about `parts` parts has its next line. */
function step(range, parts, bases = [1, 2, 5, 10]) {
  const power = 10 ** Math.floor(Math.log10(range / parts));
  return power * bases.find((base) => base * power * parts >= range * 0.999);
}

/** The same for time: in minutes and hours where it is long. */
function timeStep(range, parts) {
  return range / parts < 10
    ? step(range, parts)
    : [15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 43200, 86400].find((s) => s * parts >= range)
      ?? 86400 * Math.ceil(range / parts / 86400);
}

function timeLabel(seconds, unit) {
  if (seconds === 0) return "0 s";
  if (unit < 10) return +seconds.toFixed(3) + " s";
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  if (h > 0) return h + " h" + (m > 0 ? " " + m + " min" : "");
  return (m > 0 ? m + " min" : "") + (s > 0 ? (m > 0 ? " " : "") + s + " s" : "");
}

// The results, as the page uses them.

function hostOf(url) {
  if (url == null) return null;
  if (url.startsWith("file:")) return "local file";
  return /^[a-z]+:\/\/([^/?#]+)/.exec(url)?.[1] ?? url;
}

/** What one file waited for, in seconds of the run. */
function phases(entry, began, limit) {
  const clamp = (seconds) => Math.min(Math.max(seconds, 0), limit);
  const at = (text) => (Date.parse(text) - began) / 1000 || 0;
  const start = clamp(at(entry.started_at));
  const end = Math.max(start, clamp(start + (entry.seconds ?? 0)));
  const attempts = (entry.attempts ?? []).map((attempt) => {
    const from = Math.min(Math.max(at(attempt.started_at), start), end);
    return { from, to: Math.min(from + attempt.seconds, end), host: hostOf(attempt.url), error: attempt.error };
  }).sort((a, b) => a.from - b.from);
  // Connections that ran side by side are drawn side by side.
  const lanes = [];
  const waits = [];
  let covered = start;
  for (const attempt of attempts) {
    if (attempt.from - covered > 0.002) waits.push({ from: covered, to: attempt.from });
    covered = Math.max(covered, attempt.to);
    let lane = lanes.findIndex((free) => free <= attempt.from + 0.001);
    if (lane < 0) lane = lanes.length < 5 ? lanes.push(0) - 1 : lanes.indexOf(Math.min(...lanes));
    lanes[lane] = Math.max(lanes[lane], attempt.to);
    attempt.lane = lane;
  }
  const last = attempts.at(-1)?.error?.code;
  const isChecked = attempts.length === 0 || last == null || last === "digest.mismatch";
  return { start, end, attempts, lanes: Math.max(1, lanes.length), waits, tail: { from: covered, isChecked } };
}

/** Which letter marks an attempt's end; null where it brought the bytes. */
function spotOf(attempt, isLast, outcome) {
  if (attempt.error == null || attempt.error.code === "cancelled") return null;
  if (attempt.error.code === "network.stalled") return "S";
  return isLast && outcome === "failed" ? "F" : "R";
}

const spotNames = { R: "failed, tried again", S: "stalled", F: "failed for good" };

function rowsOf(report) {
  const began = Date.parse(report.started_at);
  const limit = Math.max(report.seconds, 0.001);
  return report.results.map((entry, index) => {
    const isFetched = entry.started_at != null;
    const row = {
      entry, index, name: entry.model + "/" + entry.path, outcome: entry.outcome, size: entry.size,
      got: entry.bytes_downloaded ?? null, took: isFetched ? entry.seconds ?? 0 : null,
      rate: entry.bytes_per_second || null, source: hostOf(entry.source ?? entry.attempts?.at(-1)?.url),
      tries: entry.attempts?.length ?? null, start: null, phases: null,
    };
    if (isFetched) {
      row.phases = phases(entry, began, limit);
      row.start = row.phases.start;
    }
    const { code, diagnosis, message } = entry.error ?? {};
    const urls = (entry.attempts ?? []).map((attempt) => attempt.url);
    row.text = [row.name, row.outcome, entry.sha256, code, diagnosis, message, ...urls].join("\n").toLowerCase();
    return row;
  });
}

/** The hosts by bytes, the first with colours of their own. */
function sourcesOf(rows) {
  const sums = new Map();
  for (const row of rows) {
    for (const attempt of row.entry.attempts ?? []) {
      const host = hostOf(attempt.url);
      sums.set(host, (sums.get(host) ?? 0) + attempt.bytes);
    }
  }
  const hosts = [...sums].sort((a, b) => b[1] - a[1]);
  const colour = new Map(hosts.map(([host], index) => [host, "s" + Math.min(index, 5)]));
  return { hosts, colour };
}

// Lists of which only what can be seen is in the page.

class Window {
  static mostOnPaper = 500;

  /** `make` gives the element of one item; all are of one height, which a style sheet may change. */
  constructor(view, list, pad, make) {
    Object.assign(this, { view, list, make, items: [], shown: new Map(), isWhole: false, height: 0 });
    this.before = pad();
    this.after = pad();
    list.replaceChildren(this.before, this.after);
    view.addEventListener("scroll", () => this.draw(), { passive: true });
    new ResizeObserver(() => this.draw(true)).observe(view);
  }

  show(items) {
    this.items = items;
    this.clear();
    this.view.scrollTop = 0;
    this.draw(true);
  }

  clear() {
    for (const node of this.shown.values()) node.remove();
    this.shown.clear();
  }

  measure() {
    const node = [...this.shown.values()][0];
    const height = node?.getBoundingClientRect().height;
    if (height > 0) this.height = height;
  }

  /** Puts in what came into sight, and takes out what left it. */
  draw(mustMeasure = false) {
    const count = this.items.length;
    if (count > 0 && this.shown.size === 0) this.put(0);
    if (mustMeasure || this.height === 0) this.measure();
    const height = this.height || 28;
    const sight = Math.ceil(this.view.clientHeight / height);
    let first = Math.min(count, Math.max(0, Math.floor(this.view.scrollTop / height) - 12));
    let end = Math.min(count, first + sight + 24);
    if (this.isWhole) [first, end] = [0, Math.min(count, Window.mostOnPaper)];
    for (const [index, node] of this.shown) {
      if (index >= first && index < end) continue;
      // Else the keyboard would be back at the top of the page.
      if (node.contains(document.activeElement)) this.view.focus({ preventScroll: true });
      node.remove();
      this.shown.delete(index);
    }
    for (let index = first; index < end; index += 1) if (!this.shown.has(index)) this.put(index);
    this.pad(this.before, first * height);
    const rest = count - end;
    const isCut = this.isWhole && rest > 0;
    this.pad(this.after, (isCut ? 1 : rest) * height, isCut ? `and ${number(rest)} more` : "");
  }

  pad(node, height, text = "") {
    const inner = node.firstElementChild ?? node;
    inner.style.height = height + "px";
    inner.textContent = text;
    node.hidden = height <= 0;
  }

  put(index) {
    const node = this.make(this.items[index], index);
    let next = this.after;
    let nearest = Infinity;
    for (const [other, there] of this.shown) if (other > index && other < nearest) [nearest, next] = [other, there];
    this.list.insertBefore(node, next);
    this.shown.set(index, node);
  }

  whole(isWhole) {
    this.isWhole = isWhole;
    this.draw();
  }
}

// Throughput.

/** How much came in each of `count` equal parts of the run, per second, from sums at points of time. */
function binned(samples, key, seconds, count) {
  const sums = [];
  let at = 0;
  for (let bin = 0; bin <= count; bin += 1) {
    const time = seconds * bin / count;
    while (at < samples.length && samples[at].seconds < time) at += 1;
    const [a, b] = [samples[at - 1] ?? { seconds: 0, [key]: 0 }, samples[Math.min(at, samples.length - 1)]];
    const part = b.seconds > a.seconds ? Math.min(1, (time - a.seconds) / (b.seconds - a.seconds)) : 1;
    sums.push(bin === 0 ? 0 : a[key] + (b[key] - a[key]) * part);
  }
  return sums.slice(1).map((sum, bin) => Math.max(0, sum - sums[bin]) * count / seconds);
}

class Chart {
  constructor(report) {
    this.node = byId("chart");
    this.samples = report.samples ?? [];
    this.seconds = Math.max(report.seconds, 0.001);
    const last = this.samples.at(-1) ?? { bytes_downloaded: 0, bytes_hashed: 0 };
    this.series = [
      { key: "bytes_downloaded", name: "downloaded" },
      { key: "bytes_hashed", name: "hashed, of what was here" },
    ].filter((series) => last[series.key] > 0);
    if (this.series.length === 0) return;
    byId("throughput").hidden = false;
    const signs = this.series.map((series, index) => legend(index === 0 ? "s0" : "dash", series.name));
    byId("chart-legend").append(...signs);
    this.here = null;
    this.node.addEventListener("pointermove", (event) => this.point(event));
    this.node.addEventListener("pointerleave", () => this.select(null));
    this.node.addEventListener("keydown", (event) => this.key(event));
    this.node.addEventListener("blur", () => this.select(null));
    new ResizeObserver(() => this.draw()).observe(this.node);
    this.draw();
  }

  draw() {
    const width = Math.max(this.node.clientWidth, 200);
    const [left, right, top, bottom, height] = [66, 8, 8, 22, 190];
    // A file tells how far it is twice a second: finer bins than that are noise, but in a run that is over at once.
    const most = Math.max(20, this.seconds / 0.5);
    const bins = Math.max(1, Math.floor(Math.min((width - left) / 7, 150, this.samples.length, most)));
    for (const series of this.series) series.rates = binned(this.samples, series.key, this.seconds, bins);
    const peak = Math.max(1, ...this.series.flatMap((series) => series.rates));
    const unit = step(peak, 4);
    const high = Math.ceil(peak / unit) * unit;
    const x = (seconds) => left + (width - left - right) * seconds / this.seconds;
    const y = (value) => top + (height - top - bottom) * (1 - value / high);
    const drawing = svg("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
    for (let value = 0; value <= high; value += unit) {
      const label = value === 0 ? "0" : rate(value).replace(/\.0+ /, " ");
      drawing.append(
        svg("line", { class: "grid", x1: left, x2: width - right, y1: y(value), y2: y(value) }),
        svg("text", { x: left - 8, y: y(value) + 4, "text-anchor": "end" }, label));
    }
    const seconds = timeStep(this.seconds, Math.max(2, Math.floor(width / 120)));
    for (let time = 0; time <= this.seconds * 1.0001; time += seconds) {
      const anchor = x(time) > width - 30 ? "end" : time === 0 ? "start" : "middle";
      drawing.append(svg("text", { x: x(time), y: height - 5, "text-anchor": anchor }, timeLabel(time, seconds)));
    }
    this.series.forEach((series, index) => {
      const middle = (bin) => this.seconds * (bin + 0.5) / bins;
      const points = [[0, series.rates[0]], ...series.rates.map((value, bin) => [middle(bin), value]),
        [this.seconds, series.rates[bins - 1]]].map(([time, value]) => x(time).toFixed(1) + "," + y(value).toFixed(1));
      if (index === 0) {
        const area = [`${x(0)},${y(0)}`, ...points, `${x(this.seconds)},${y(0)}`];
        drawing.append(svg("path", { class: "area", d: "M" + area.join("L") + "Z" }));
      }
      drawing.append(svg("path", { class: index === 0 ? "line" : "line second", d: "M" + points.join("L") }));
    });
    this.marker = svg("line", { class: "here", y1: top, y2: height - bottom, visibility: "hidden" });
    drawing.append(this.marker);
    this.node.replaceChildren(drawing);
    Object.assign(this, { x, bins, left, right, width });
    byId("chart-text").textContent = this.series.map((series) => {
      const all = this.samples.at(-1)[series.key];
      const most = Math.max(...series.rates);
      return `${bytes(all)} ${series.name}: ${rate(all / this.seconds)} over the run, ${rate(most)} at most.`;
    }).join(" ");
  }

  point(event) {
    const box = this.node.getBoundingClientRect();
    const part = (event.clientX - box.left - this.left) / (this.width - this.left - this.right);
    this.select(Math.min(this.bins - 1, Math.max(0, Math.floor(part * this.bins))));
  }

  key(event) {
    const moves = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };
    if (!(event.key in moves)) return;
    event.preventDefault();
    const from = this.here ?? (moves[event.key] > 0 ? -1 : this.bins);
    this.select(Math.min(this.bins - 1, Math.max(0, from + moves[event.key])));
  }

  select(bin) {
    this.here = bin;
    this.marker.setAttribute("visibility", bin == null ? "hidden" : "visible");
    if (bin == null) return void (byId("chart-readout").textContent = "");
    const time = this.seconds * (bin + 0.5) / this.bins;
    this.marker.setAttribute("x1", this.x(time));
    this.marker.setAttribute("x2", this.x(time));
    byId("chart-readout").textContent =
      `At ${duration(time)}: ` + this.series.map((series) => rate(series.rates[bin]) + " " + series.name).join(", ");
  }
}

function legend(sign, text, letter) {
  const spot = letter && el("span", { class: "spot " + letter, "aria-hidden": "true" }, letter);
  return el("li", {}, spot ?? el("i", { class: sign }), text);
}

// The timeline.

class Timeline {
  constructor(report, rows, sources) {
    this.seconds = Math.max(report.seconds, 0.001);
    this.sources = sources;
    this.rows = rows.filter((row) => row.phases);
    if (this.rows.length === 0) return;
    byId("timeline").hidden = false;
    byId("timeline-count").textContent = counted(this.rows.length, "file") + " fetched";
    this.addLegend();
    this.window = new Window(
      byId("timeline-view"), byId("timeline-rows"), () => el("li", { class: "pad", "aria-hidden": "true" }),
      (row) => this.row(row));
    const order = byId("timeline-order");
    order.addEventListener("change", () => this.order(order.value));
    this.order(order.value);
    new ResizeObserver(() => this.drawAxis()).observe(byId("axis"));
    this.drawAxis();
  }

  order(name) {
    const trouble = (row) => (row.outcome === "failed" ? 1e6 : 0) + row.phases.attempts.filter((a) => a.error).length;
    const orders = {
      start: (a, b) => a.start - b.start,
      longest: (a, b) => b.took - a.took,
      trouble: (a, b) => trouble(b) - trouble(a) || b.took - a.took,
    };
    this.window.show([...this.rows].sort((a, b) => orders[name](a, b) || a.index - b.index));
  }

  addLegend() {
    const { hosts } = this.sources;
    const named = hosts.slice(0, hosts.length > 6 ? 5 : 6);
    const list = byId("timeline-legend");
    list.append(legend("queued", "queued"));
    list.append(...named.map(([host, sum]) => legend(this.sources.colour.get(host), `from ${host} (${bytes(sum)})`)));
    if (hosts.length > named.length) list.append(legend("s5", `from ${hosts.length - named.length} other sources`));
    const has = (test) => this.rows.some(test);
    const waits = ({ phases }) => phases.waits.length > 0 || !phases.tail.isChecked;
    if (has(waits)) list.append(legend("waiting", "waiting"));
    list.append(legend("verifying", "verifying, syncing"));
    for (const [letter, name] of Object.entries(spotNames)) {
      if (has((row) => spots(row).includes(letter))) list.append(legend(null, name, letter));
    }
  }

  drawAxis() {
    const axis = byId("axis");
    const unit = timeStep(this.seconds, Math.max(2, Math.floor(axis.clientWidth / 90)));
    const labels = [];
    for (let time = 0; time <= this.seconds * 1.0001; time += unit) {
      const label = el("span", {}, timeLabel(time, unit));
      label.style.left = 100 * time / this.seconds + "%";
      labels.push(label);
    }
    axis.replaceChildren(...labels);
  }

  row(row) {
    const { start, end, attempts, lanes, waits, tail } = row.phases;
    const track = el("div", { class: "track", "aria-hidden": "true" });
    const draw = (kind, from, to, least = 0) => {
      const bar = el("span", { class: kind });
      bar.style.left = 100 * from / this.seconds + "%";
      bar.style.width = `max(${least}px, ${100 * (to - from) / this.seconds}%)`;
      track.append(bar);
      return bar;
    };
    if (start > 0) draw("queued", 0, start);
    for (const wait of waits) draw("waiting", wait.from, wait.to);
    if (end > tail.from) draw(tail.isChecked ? "verifying" : "waiting", tail.from, end, tail.isChecked ? 2 : 0);
    for (const attempt of attempts) {
      const bar = draw(this.sources.colour.get(attempt.host), attempt.from, attempt.to, 2);
      bar.style.top = 2 + 12 * attempt.lane / lanes + "px";
      bar.style.height = 12 / lanes - (lanes > 1 ? 1 : 0) + "px";
    }
    spots(row).forEach((letter, index) => {
      if (letter == null) return;
      const spot = el("span", { class: "spot " + letter }, letter);
      spot.style.left = 100 * attempts[index].to / this.seconds + "%";
      track.append(spot);
    });
    return el("li", {}, nameButton(row, summary(row)), track, el("span", { class: "took" }, duration(row.took)));
  }
}

const spots = ({ phases, outcome }) =>
  phases.attempts.map((attempt, index, all) => spotOf(attempt, index === all.length - 1, outcome));

/** A row of the timeline in words. */
function summary(row) {
  const { start, end, attempts, tail } = row.phases;
  const parts = [`queued ${duration(start)}`, `fetching ${duration(tail.from - start)}`];
  if (tail.isChecked && end > tail.from) parts.push(`verifying ${duration(end - tail.from)}`);
  const hosts = [...new Set(attempts.map((attempt) => attempt.host))];
  if (hosts.length > 0) parts.push("from " + hosts.join(", "));
  for (const [letter, name] of Object.entries(spotNames)) {
    const count = spots(row).filter((spot) => spot === letter).length;
    if (count > 0) parts.push(`${name}: ${count}`);
  }
  return `${row.name}: ${row.outcome}; ${parts.join(", ")}`;
}

/** A file's name, which opens its details. */
function nameButton(row, label) {
  const press = () => openDetails(row);
  return el("button", { type: "button", class: "file", title: label ?? row.name, "aria-label": label, click: press },
    el("span", { class: "model" }, row.entry.model + "/"), el("span", { class: "leaf" }, row.entry.path));
}

// The table.

const columns = [
  { key: "name", title: "File", text: (row) => nameButton(row) },
  { key: "outcome", title: "Outcome", text: (row) => el("span", { class: "o o-" + row.outcome }, row.outcome) },
  { key: "size", title: "Size", isNumber: true, text: (row) => bytes(row.size) },
  { key: "got", title: "Fetched", isNumber: true, text: (row) => bytes(row.got) },
  { key: "start", title: "Began", isNumber: true, text: (row) => "+" + duration(row.start) },
  { key: "took", title: "Took", isNumber: true, text: (row) => duration(row.took) },
  { key: "rate", title: "Rate", isNumber: true, text: (row) => rate(row.rate) },
  { key: "tries", title: "Attempts", isNumber: true, text: (row) => String(row.tries) },
  { key: "source", title: "Source", text: (row) => row.source },
];

const classOf = (column) => `w-${column.key}${column.isNumber ? " n" : ""}`;

class Table {
  constructor(rows) {
    this.rows = rows;
    this.sort = { key: null, isDescending: false };
    if (rows.length === 0) return;
    byId("files").hidden = false;
    this.addHead();
    this.addFilters();
    this.window = new Window(
      byId("files-view"), byId("rows"),
      () => el("tr", { class: "pad", "aria-hidden": "true" }, el("td")), (row, index) => this.row(row, index));
    this.update();
  }

  addHead() {
    this.heads = columns.map((column) => {
      const press = () => {
        const isSame = this.sort.key === column.key;
        this.sort = { key: column.key, isDescending: isSame ? !this.sort.isDescending : column.isNumber === true };
        this.update();
      };
      return el("th", { scope: "col", class: classOf(column) },
        el("button", { type: "button", click: press }, column.title));
    });
    byId("columns").append(...this.heads);
  }

  addFilters() {
    const fill = (select, all, values) => {
      select.append(el("option", { value: "" }, all));
      for (const [value, count] of values) select.append(el("option", { value }, `${value} (${number(count)})`));
      select.addEventListener("change", () => this.update());
    };
    const count = (key) => {
      const counts = new Map();
      for (const row of this.rows) counts.set(key(row), (counts.get(key(row)) ?? 0) + 1);
      return [...counts];
    };
    fill(byId("by-outcome"), "all", count((row) => row.outcome));
    fill(byId("by-model"), "all", count((row) => row.entry.model).sort((a, b) => compare(a[0], b[0])));
    byId("search").addEventListener("input", () => this.update());
  }

  update() {
    const words = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const [outcome, model] = [byId("by-outcome").value, byId("by-model").value];
    const found = this.rows.filter((row) =>
      (outcome === "" || row.outcome === outcome) && (model === "" || row.entry.model === model)
      && words.every((word) => row.text.includes(word)));
    const { key, isDescending } = this.sort;
    if (key != null) {
      const sign = isDescending ? -1 : 1;
      // What has no value comes last either way.
      found.sort((a, b) => (a[key] == null) - (b[key] == null) || sign * compare(a[key], b[key]) || a.index - b.index);
    }
    columns.forEach((column, index) => {
      if (column.key === key) this.heads[index].setAttribute("aria-sort", isDescending ? "descending" : "ascending");
      else this.heads[index].removeAttribute("aria-sort");
    });
    byId("table").setAttribute("aria-rowcount", found.length + 1);
    byId("files-count").textContent = found.length === this.rows.length
      ? counted(found.length, "file") : `${number(found.length)} of ${counted(this.rows.length, "file")}`;
    this.window.show(found);
  }

  row(row, index) {
    const cells = columns.map((column) =>
      el("td", { class: classOf(column) }, row[column.key] == null ? "–" : column.text(row)));
    return el("tr", { "aria-rowindex": index + 2 }, ...cells);
  }
}

const collator = new Intl.Collator("en", { numeric: true });
function compare(a, b) {
  return typeof a === "string" && typeof b === "string" ? collator.compare(a, b) : (a > b) - (a < b);
}

// One file.

function openDetails(row) {
  const { entry } = row;
  byId("details-title").textContent = row.name;
  const facts = el("dl", { class: "facts" });
  const add = (name, value, kind) => {
    if (value == null) return;
    facts.append(el("dt", {}, name), el("dd", {}, kind ? el("span", { class: kind }, value) : value));
  };
  add("Outcome", row.outcome);
  add("Size", `${bytes(row.size)} (${number(row.size)} bytes)`);
  add("SHA-256", entry.sha256, "path");
  add("File", entry.file, "path");
  add("Source", entry.source, "path");
  add("Fetched", row.got == null ? null : bytes(row.got));
  add("Resumed", entry.bytes_resumed > 0 ? bytes(entry.bytes_resumed) + " from an earlier run" : null);
  add("Began", entry.started_at == null ? null : `${entry.started_at}, ${duration(row.start)} into the run`);
  add("Took", row.took == null ? null : duration(row.took) + (row.rate ? `, ${rate(row.rate)}` : ""));
  const body = byId("details-body");
  body.replaceChildren(
    ...(entry.error ? [el("p", { class: "chips" },
      ...[entry.error.code, entry.error.diagnosis].filter(Boolean).map((code) => el("code", { class: "chip" }, code))),
    el("p", { class: "message" }, brief(entry.error, row))] : []), facts);
  if (row.tries > 0) body.append(el("h3", {}, counted(row.tries, "attempt")), attemptTable(row));
  byId("details").showModal();
}

/** The message without what stands beside it: the file's name, and a source. */
function brief(error, row, url = "") {
  return [row.name + ": ", url, ": ", " "].reduce(
    (text, prefix) => (text.startsWith(prefix) ? text.slice(prefix.length) : text), error.message);
}

function attemptTable(row) {
  const head = ["Began, UTC", "Took", "Bytes", "HTTP", "From", "Ended with"];
  const rows = row.entry.attempts.map((attempt) => el("tr", {},
    el("td", {}, attempt.started_at.replace(/^.*T|Z$/g, "")), el("td", { class: "n" }, duration(attempt.seconds)),
    el("td", { class: "n" }, bytes(attempt.bytes)), el("td", { class: "n" }, String(attempt.http_status ?? "–")),
    el("td", { class: "url" }, attempt.url),
    el("td", {}, attempt.error ? `${attempt.error.code}: ${brief(attempt.error, row, attempt.url)}` : "ok")));
  return el("div", { class: "wide", tabindex: 0, role: "region", "aria-label": "Attempts" }, el("table", {},
    el("thead", {}, el("tr", {}, ...head.map((title, index) =>
      el("th", { scope: "col", class: index > 0 && index < 4 ? "n" : null }, title)))),
    el("tbody", {}, ...rows)));
}

function main() {
  const report = JSON.parse(byId("report").textContent);
  const rows = rowsOf(report);
  new Chart(report);
  const timeline = new Timeline(report, rows, sourcesOf(rows));
  const table = new Table(rows);
  // On paper nothing can be scrolled to.
  for (const [event, isWhole] of [["beforeprint", true], ["afterprint", false]]) {
    addEventListener(event, () => { for (const part of [timeline, table]) part.window?.whole(isWhole); });
  }
}

try {
  main();
} catch (error) {
  byId("broken").textContent = `The details of this report can't be shown: ${error.message}`;
  byId("broken").hidden = false;
  throw error;
}
