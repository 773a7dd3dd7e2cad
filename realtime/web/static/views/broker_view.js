// The broker's report card: how long accounts were not synced, why, and how fast events came.

import { formatAccountAddress, formatAddress } from "../address.js";
import { createElement, setAttribute, setChildren, setText } from "../components/dom.js";
import { capitalize } from "../components/notice_text.js";
import { loadSheet } from "../components/style_sheet.js";
import { Table } from "../components/table.js";
import { shortenLabel } from "../format/instrument_format.js";
import { formatCount, formatDay, formatLongDuration, formatShort, now, waitForClock } from "../format/time_format.js";
import { fetchPast } from "../state/history_reader.js";
import { PastReader } from "../state/past_reader.js";

const DAY_MS = 86_400_000;
const REFRESH_MS = 60_000;
const RANGES = { week: ["1 W", 7], month: ["30 D", 30], quarter: ["3 M", 92] };
const NAMESPACE = "http://www.w3.org/2000/svg";
const STRIP_WIDTH = 300;
const STRIP_HEIGHT = 16;
const MAX_ALL_OUTAGES = 5;
const MAX_NAME_CHARS = 24;

export class BrokerView {
  name = "broker";
  title = "Broker · realtime";
  crumbs = [];
  linkEntries = [];

  static async open(address, hooks) {
    await loadSheet("../css/compare.css", import.meta.url);
    return new BrokerView(address, hooks);
  }

  constructor({ params }, { fleet, onAddress, onChange }) {
    this.fleet = fleet;
    this.onAddress = onAddress;
    this.onChange = onChange;
    this.range = toRange(params);
    this.reader = new PastReader({ read: (_, signal) => this.#fetch(signal), onChange: () => this.#showResult() });
    this.element = this.#build();
    this.reads = 0;
    this.#read();
    this.timer = setInterval(() => { if (!document.hidden) this.#read(); }, REFRESH_MS);
  }

  get address() {
    return formatAddress("#/broker", new URLSearchParams(this.range === "month" ? {} : { range: this.range }));
  }

  get curl() {
    return `report?from=${this.#from}`;
  }

  get moneyKinds() {
    return this.fleet.totals().map(({ isPaper, enabled }) => [isPaper, enabled]);
  }

  end() {
    clearInterval(this.timer);
    this.reader.set(null);
  }

  focus() {
    this.heading.focus({ preventScroll: true });
  }

  redraw() {}

  setAddress({ params }) {
    this.range = toRange(params);
    this.#read();
  }

  render() {}

  get #from() {
    return new Date(now() - (RANGES[this.range][1] - 1) * DAY_MS).toISOString().slice(0, 10);
  }

  async #fetch(signal) {
    await waitForClock();
    return (await fetchPast(this.curl, signal)).json();
  }

  #read() {
    this.reads += 1;
    this.reader.set(this.reads);
    for (const [range, chip] of this.chips) setAttribute(chip, "aria-pressed", String(range === this.range));
    this.onChange();
  }

  #build() {
    this.heading = createElement("h1", { text: "Broker", tabindex: "-1" });
    this.chips = new Map(Object.entries(RANGES).map(([range, [text]]) => [range, createElement("button", { type: "button", class: "chip", text, on: { click: () => this.#setRange(range) } })]));
    this.csv = createElement("a", { class: "plain", text: "CSV", download: "" });
    this.summary = createElement("dl", { class: "stats broker-stats" });
    this.notes = createElement("div", { class: "words" });
    this.table = new Table(COLUMNS, { label: "Accounts" });
    this.table.element.classList.add("broker");
    this.empty = createElement("p", { class: "empty", text: "Reading the record …" });
    this.count = createElement("p", { class: "count" });
    this.body = createElement("div", { class: "compare-body", hidden: true },
      createElement("section", { class: "card", "aria-label": "All accounts" }, this.summary, this.notes),
      createElement("section", { class: "card", "aria-labelledby": "broker-title" },
        createElement("div", { class: "bar" }, createElement("h2", { id: "broker-title", text: "Accounts" }), this.count,
          createElement("p", { class: "strip-legend" }, createElement("i", { class: "outage" }), createElement("span", { text: "not synced" }), createElement("i", { class: "gap" }), createElement("span", { text: "not recorded" }))),
        createElement("div", { class: "scroller", tabindex: "0", role: "group", "aria-labelledby": "broker-title" }, this.table.element)));
    return createElement("div", { class: "compare-view" },
      createElement("div", { class: "compare-head" }, this.heading,
        createElement("div", { class: "chips segments", role: "group", "aria-label": "Window" }, ...this.chips.values()), this.csv),
      createElement("p", { class: "compare-about", text: "What the broker and the network between did, as this daemon recorded it." }),
      this.empty, this.body);
  }

  #setRange(range) {
    this.range = range;
    this.onAddress();
    this.#read();
  }

  #showResult() {
    const { value, error } = this.reader;
    setAttribute(this.empty, "hidden", value ? true : null);
    setAttribute(this.body, "hidden", value ? null : true);
    if (error) setText(this.empty, [error.message, error.remedy].filter(Boolean).join(" – "));
    if (!value) return;
    setAttribute(this.csv, "href", `${this.curl}&format=csv`);
    const { total, accounts, outages, fleet_outages: all, notes, from, to } = value;
    this.#showSummary(total);
    const causes = Object.entries(total.causes).sort(([, a], [, b]) => b - a).map(([cause, count]) => `${cause} ${count}`);
    setChildren(this.notes, [
      all.length ? `All accounts at once: ${formatCount(all.length, "outage")} (${all.slice(0, MAX_ALL_OUTAGES).map(describeOutage).join("; ")}${all.length > MAX_ALL_OUTAGES ? "; …" : ""}).` : "All accounts at once: no outage.",
      causes.length ? `Causes: ${causes.join(" · ")}.` : null,
    ].filter(Boolean).map((text) => createElement("p", { text })).concat(createElement("p", { class: "small-print", text: notes.map((note) => `${capitalize(note)}.`).join(" ") })));
    setText(this.count, `${accounts.length} · ${formatDay(Date.parse(`${from}T12:00`))} – ${formatDay(Date.parse(`${to}T12:00`))}, longest out of sync first`);
    const span = { from: Date.parse(`${from}T00:00:00Z`), to: Math.min(now(), Date.parse(`${to}T00:00:00Z`) + DAY_MS) };
    const everywhere = outages.filter(({ account_id: label }) => label === null);
    this.table.show(accounts.map((card) => ({ ...card, count: card.outages, span, outages: [...everywhere, ...outages.filter(({ account_id: label }) => label === card.account_id)] })), ({ account_id: label }) => label);
  }

  #showSummary(total) {
    const figures = [
      ["Not synced", formatSeconds(total.not_synced_s), "all accounts added up"],
      ["Outages", total.outages.toLocaleString("en"), total.outages ? `longest ${formatSeconds(total.longest_s)}` : ""],
      ["Events missed", formatMissed(total), total.events_missed_reason ?? (total.events_missed ? `${total.events_recovered.toLocaleString("en")} found by the next read` : "none")],
      ["HTTP errors", sumOf(total.http_errors).toLocaleString("en"), Object.entries(total.http_errors).map(([kind, count]) => `${kind} ${count}`).join(", ")],
      ["Rate limited", sumOf(total.rate_limited).toLocaleString("en"), Object.entries(total.rate_limited).map(([kind, count]) => `${kind} ${count}`).join(", ")],
      ["Push p50 / p99", formatLatency(total.push), countText(total.push)],
      ["REST p50 / p99", formatLatency(total.rest), countText(total.rest)],
    ];
    setChildren(this.summary, figures.map(([name, value, note]) => createElement("div", { class: "stat" }, createElement("dt", { text: name }),
      createElement("dd", {}, createElement("span", { class: "value", text: value }), createElement("small", { text: note })))));
  }
}

const numberColumn = (key, name, show, about = null) => ({
  key, name, kind: "number",
  fill: (cell, card) => { setAttribute(cell, "title", about?.(card) || null); return setText(cell, show(card)); },
});

/** Executions that no event delivered, or a dash while the next read is awaited. */
const formatMissed = ({ events_missed: missed }) => missed?.toLocaleString("en") ?? "–";

const COLUMNS = [
  { key: "account", name: "Account", kind: "head", fill: fillName },
  { key: "strip", name: "When", fill: fillStrip },
  numberColumn("not_synced", "Not synced", (card) => formatSeconds(card.not_synced_s)),
  numberColumn("outages", "Outages", (card) => card.count.toLocaleString("en")),
  numberColumn("longest", "Longest", (card) => formatSeconds(card.longest_s)),
  numberColumn("silent", "Silent", (card) => (card.silent ? `${card.silent} · ${formatSeconds(card.silent_s)}` : "0")),
  numberColumn("missed", "Missed → found", (card) => (card.events_missed === 0 ? "0" : `${formatMissed(card)} → ${card.events_recovered}`), (card) => card.events_missed_reason),
  numberColumn("errors", "4xx 5xx", (card) => sumOf(card.http_errors).toLocaleString("en"), (card) => Object.entries(card.http_errors).map(([kind, count]) => `${kind}: ${count}`).join(", ")),
  numberColumn("limited", "429", (card) => sumOf(card.rate_limited).toLocaleString("en"), (card) => Object.entries(card.rate_limited).map(([kind, count]) => `${kind}: ${count}`).join(", ")),
  numberColumn("push", "Push p50 / p99", (card) => formatLatency(card.push), (card) => countText(card.push)),
  numberColumn("rest", "REST p50 / p99", (card) => formatLatency(card.rest), (card) => countText(card.rest)),
];

function fillName(cell, { account_id: label }) {
  cell.firstChild ?? cell.append(createElement("a"));
  setAttribute(cell.firstChild, "href", formatAccountAddress(label));
  setAttribute(cell.firstChild, "title", label);
  return setText(cell.firstChild, shortenLabel(label, MAX_NAME_CHARS));
}

/** When the account was not synced: width is time. A click opens that moment. */
function fillStrip(cell, { account_id: label, outages, span }) {
  const key = JSON.stringify([span.from, Math.floor(span.to / 60_000), outages.length, outages[0]?.to]);
  if (cell.dataset.strip === key) return false;
  cell.dataset.strip = key;
  const svg = create("svg", { viewBox: `0 0 ${STRIP_WIDTH} ${STRIP_HEIGHT}`, class: "outage-strip", role: "group", preserveAspectRatio: "none" });
  svg.append(create("rect", { class: "base", x: 0, y: 0, width: STRIP_WIDTH, height: STRIP_HEIGHT }));
  const summary = outages.length ? `${formatCount(outages.length, "outage")}, the newest ${describeOutage(outages[0])}` : "no outage";
  svg.setAttribute("aria-label", summary);
  cell.title = summary;
  const place = (at) => ((Math.max(span.from, Math.min(span.to, at)) - span.from) / (span.to - span.from)) * STRIP_WIDTH;
  for (const { from, to, account_id: owner } of outages) {
    const [left, right] = [place(Date.parse(from)), place(to ? Date.parse(to) : span.to)];
    const link = create("a", { href: formatAccountAddress(label, { asOf: Math.floor(Date.parse(from) / 1000) * 1000 }), tabindex: "-1", "aria-label": `${label} as of ${formatShort(Date.parse(from))}` });
    link.append(create("rect", { class: owner === null ? "gap" : "outage", x: left, y: 0, width: Math.max(1.5, right - left), height: STRIP_HEIGHT }));
    svg.append(link);
  }
  cell.replaceChildren(svg);
  return false;
}

function create(tag, attributes) {
  const node = document.createElementNS(NAMESPACE, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

function describeOutage({ from, seconds, reason }) {
  return [formatShort(Date.parse(from)), formatSeconds(seconds), reason && reason !== "link down" ? reason : null].filter(Boolean).join(" ");
}

function formatSeconds(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  return seconds > 0 && seconds < 1 ? "< 1 s" : formatLongDuration(seconds * 1000);
}

function formatLatency({ p50_ms: p50, p99_ms: p99 }) {
  return p50 === null ? "–" : `${formatMs(p50)} / ${formatMs(p99)} ms`;
}

function formatMs(value) {
  return value === null ? "–" : value < 10 ? value.toFixed(1) : Math.round(value).toLocaleString("en");
}

function countText({ n }) {
  return n ? `n ${n.toLocaleString("en")}` : "none measured";
}

function sumOf(counts) {
  return Object.values(counts).reduce((all, count) => all + count, 0);
}

function toRange(params) {
  const range = params.get("range") ?? "month";
  return Object.hasOwn(RANGES, range) ? range : "month";
}
