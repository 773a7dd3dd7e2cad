// Accounts, tiers and strategies side by side: curves from one start, a table, and what it means.

import { formatAddress } from "../address.js";
import { createElement, setAttribute, setChildren, setText } from "../components/dom.js";
import { MultiCurve } from "../components/multi_curve.js";
import { Reading } from "../components/reading.js";
import { loadSheet } from "../components/style_sheet.js";
import { formatCompact, formatDecimal, fromNumber, parseDecimal, toNumber } from "../format/decimal.js";
import { shortenLabel } from "../format/instrument_format.js";
import { formatDay, now, waitForClock } from "../format/time_format.js";
import { GROUPINGS, MAX_PINS, WINDOWS, formatCompareQuery, parseCompareQuery, readComparison } from "../state/compare_reader.js";
import { PastReader } from "../state/past_reader.js";
import { CompareTable, sortRows } from "./compare_table.js";
import { PairGrid } from "./compare_pairs.js";
import { pairSentences, sharedFlags } from "./compare_words.js";

const REFRESH_MS = 60_000;
const MAX_NAME_CHARS = 14;
const MAX_PHONE_PINS = 3; // until the reader pins others
const PHONE = matchMedia("(max-width: 760px)");

export class CompareView {
  name = "compare";
  title = "Compare · realtime";
  crumbs = [];
  linkEntries = [];

  static async open(address, hooks) {
    await loadSheet("../css/compare.css", import.meta.url);
    return new CompareView(address, hooks);
  }

  constructor({ params }, { fleet, onAddress, onChange }) {
    this.fleet = fleet;
    this.onAddress = onAddress;
    this.onChange = onChange;
    this.query = parseCompareQuery(params);
    this.reader = new PastReader({ read: async (_, signal) => { await waitForClock(); return readComparison(this.query, now(), signal); }, onChange: () => this.#showResult() });
    this.pointed = null;
    this.element = this.#build();
    this.#read();
    this.timer = setInterval(() => { if (!document.hidden) this.#read(); }, REFRESH_MS);
  }

  get address() {
    return formatAddress("#/compare", formatCompareQuery(this.query));
  }

  get curl() {
    return `compare?${decodeURIComponent(this.result?.params ?? "by=account")}`;
  }

  get moneyKinds() {
    return this.fleet.totals().map(({ isPaper, enabled }) => [isPaper, enabled]);
  }

  end() {
    clearInterval(this.timer);
    this.reader.set(null);
    this.curve.end();
  }

  focus() {
    this.heading.focus({ preventScroll: true });
  }

  redraw() {
    this.#showCurve();
  }

  setAddress({ params }) {
    this.query = parseCompareQuery(params);
    this.#read();
    this.#showResult();
  }

  render() {
    setAttribute(this.element, "aria-busy", this.reader.isReading && !this.isRefreshing ? "true" : null);
  }

  #read() {
    this.isRefreshing = this.reader.asOf !== null && this.readQuery === this.#readKey;
    this.readQuery = this.#readKey;
    this.reads = (this.reads ?? 0) + 1;
    this.reader.set(this.reads);
    this.#showControls();
  }

  /** What is requested of the daemon; the rest of the query only changes how it is shown. */
  get #readKey() {
    const { by, window: span, from, to, benchmark } = this.query;
    return JSON.stringify([by, span, from, to, benchmark]);
  }

  #change(part) {
    const before = this.#readKey;
    this.query = { ...this.query, ...part };
    this.onAddress();
    if (this.#readKey !== before) this.#read();
    else this.#showResult();
  }

  #build() {
    this.heading = createElement("h1", { text: "Compare", tabindex: "-1" });
    this.groupings = this.#chips("What a row is", GROUPINGS, (by) => this.#change({ by, pins: null, expanded: new Set() }));
    this.windows = this.#chips("Window", Object.fromEntries(Object.entries(WINDOWS).map(([key, [name]]) => [key, name])), (span) => this.#change({ window: span, from: null, to: null }));
    this.units = this.#chips("Unit", { pct: "%", usd: "$" }, (unit) => this.#change({ unit }));
    this.from = createElement("input", { type: "date", "aria-label": "First day", on: { change: () => this.#changeDates() } });
    this.to = createElement("input", { type: "date", "aria-label": "Last day", on: { change: () => this.#changeDates() } });
    this.benchmark = createElement("input", { type: "text", class: "symbol", "aria-label": "Benchmark, a symbol", placeholder: "none", maxlength: 16, spellcheck: "false", autocomplete: "off", on: { change: () => this.#change({ benchmark: this.benchmark.value.trim().toUpperCase() || "none" }) } });
    this.csv = createElement("a", { class: "plain", text: "CSV", download: "" });
    this.about = createElement("p", { class: "compare-about" });
    this.curve = new MultiCurve({ label: "Curves", onDay: (day) => this.#showReading(day), onRange: (from, to) => this.#zoom(from, to), onPoint: (key) => this.#point(key) });
    this.reading = new Reading();
    this.own = createElement("button", { type: "button", class: "chip", text: "Own start", title: "Rows that begin later than the window, from their own start", on: { click: () => this.#change({ own: !this.query.own }) } });
    this.pairs = new PairGrid();
    this.words = createElement("section", { class: "card words", "aria-label": "What can be distinguished" });
    this.table = new CompareTable({
      onSort: (sort) => this.#change({ sort }), onPin: (key) => this.#pin(key), onPoint: (key) => this.#point(key),
      onExpand: (key) => this.#expand(key), onColumns: (columns) => this.#change({ columns }),
    });
    this.count = createElement("p", { class: "count" });
    this.empty = createElement("p", { class: "empty", hidden: true });
    this.message = createElement("p", { class: "unseen", role: "status" });
    this.body = createElement("div", { class: "compare-body" },
      createElement("section", { class: "card multi-card", "aria-label": "Curves" }, this.curve.element, this.reading.element),
      this.words,
      createElement("section", { class: "card", "aria-labelledby": "figures-title" },
        createElement("div", { class: "bar" }, createElement("h2", { id: "figures-title", text: "Figures" }), this.count, this.table.menu),
        createElement("div", { class: "scroller", tabindex: "0", role: "group", "aria-labelledby": "figures-title" }, this.table.element)));
    return createElement("div", { class: "compare-view" },
      createElement("div", { class: "compare-head" }, this.heading, this.groupings.element, this.windows.element,
        createElement("span", { class: "dates" }, this.from, createElement("span", { text: "–", "aria-hidden": "true" }), this.to),
        this.units.element, createElement("label", { class: "versus" }, createElement("span", { text: "vs" }), this.benchmark), this.csv),
      createElement("div", { class: "compare-sub" }, this.about, this.own), this.empty, this.body, this.message);
  }

  #chips(name, choices, onChoose) {
    const buttons = new Map(Object.entries(choices).map(([key, text]) => [key, createElement("button", { type: "button", class: "chip", text, on: { click: () => onChoose(key) } })]));
    const element = createElement("div", { class: "chips segments", role: "group", "aria-label": name }, ...buttons.values());
    return { element, choose: (chosen) => { for (const [key, button] of buttons) setAttribute(button, "aria-pressed", String(key === chosen)); } };
  }

  #showControls() {
    const { by, window: span, unit, benchmark } = this.query;
    this.groupings.choose(by);
    this.windows.choose(span);
    this.units.choose(unit);
    if (document.activeElement !== this.benchmark) this.benchmark.value = benchmark === "none" ? "" : benchmark;
    setAttribute(this.csv, "href", `compare.csv?${this.result?.params ?? "by=account"}`);
    const found = this.result?.document;
    if (document.activeElement !== this.from) this.from.value = this.query.from ?? found?.from ?? "";
    if (document.activeElement !== this.to) this.to.value = this.query.to ?? found?.to ?? "";
    this.onChange();
  }

  #showResult() {
    const { value, error } = this.reader;
    if (value) this.result = value;
    if (error && !this.isRefreshing) this.result = null;
    this.#showControls();
    const { result } = this;
    const reason = !result ? (error ? [error.message, error.remedy].filter(Boolean).join(" – ") : "Reading the record …") : this.#emptyReason(result);
    setText(this.empty, reason);
    setAttribute(this.empty, "hidden", !reason);
    setAttribute(this.body, "hidden", Boolean(reason));
    setText(this.about, result ? this.#aboutText(result) : "");
    if (!result || reason) return;
    this.slots = this.#slots(result.document.rows);
    this.#showTable(result);
    this.#showWords(result);
    this.#showCurve();
  }

  #emptyReason({ document: { rows, trading_days: days } }) {
    if (days && rows.some(({ kind, trading_days: own }) => kind !== "control" && own)) return "";
    return days ? "Nothing is recorded in this window. A comparison begins with the first whole trading day of the history." : "There is no whole trading day in this window yet.";
  }

  #aboutText({ document: found, isShortened }) {
    const span = `${formatDate(found.from)} – ${formatDate(found.to)}`;
    return [
      `${found.trading_days} trading day${found.trading_days === 1 ? "" : "s"}, ${span}${isShortened ? " (as far back as the record reaches)" : ""}`,
      `days end ${found.boundary}`, "deposits taken out", ...found.notes, ...sharedFlags(found.rows).values(),
    ].join(" · ");
  }

  /** Key → its colour. A pinned line keeps its colour when others come and go. */
  #slots(rows) {
    const pins = this.query.pins ?? rows.filter(({ kind, ranked }) => kind !== "control" && ranked).slice(0, PHONE.matches ? MAX_PHONE_PINS : MAX_PINS).map(({ key }) => key);
    const known = new Set(rows.map(({ key }) => key));
    this.pins = pins.map((key) => (key !== null && known.has(key) ? key : null));
    return new Map(this.pins.flatMap((key, slot) => (key === null ? [] : [[key, slot]])));
  }

  #pin(key) {
    const pins = [...this.pins];
    const slot = pins.indexOf(key);
    const free = pins.includes(null) ? pins.indexOf(null) : pins.length;
    if (slot >= 0) pins[slot] = null;
    else if (free >= MAX_PINS) return setText(this.message, `${MAX_PINS} lines are pinned: unpin one first.`), this.#explainPins();
    else pins[free] = key;
    this.selected = slot >= 0 ? null : key;
    const focused = document.activeElement?.closest("tr")?.dataset.key;
    this.#change({ pins });
    if (focused) this.table.element.querySelector(`tr[data-key="${CSS.escape(focused)}"] .swatch`)?.focus({ preventScroll: true });
  }

  #explainPins() {
    setText(this.count, `${MAX_PINS} lines are pinned: unpin one first.`);
    clearTimeout(this.pinTimer);
    this.pinTimer = setTimeout(() => { if (this.result) this.#showCount(this.result); }, 4000);
  }

  #expand(key) {
    const expanded = new Set(this.query.expanded);
    if (!expanded.delete(key)) expanded.add(key);
    this.#change({ expanded });
    this.table.element.querySelector(`tr[data-key="${CSS.escape(key)}"] .expand`)?.focus({ preventScroll: true });
  }

  #point(key) {
    if (key === this.pointed) return;
    this.pointed = key;
    this.curve.highlight(key);
    this.table.point(key);
  }

  #zoom(from, to) {
    const { days } = this.result.series;
    this.#change({ window: null, from: days[Math.min(from + 1, days.length - 1)], to: days[to] });
  }

  #changeDates() {
    if (this.from.value && this.to.value && this.from.value > this.to.value) return;
    if (this.from.value) this.#change({ window: null, from: this.from.value, to: this.to.value || null });
  }

  #showCount({ document: { rows } }) {
    const count = rows.filter(({ kind }) => kind !== "control").length;
    setText(this.count, `${count} ${count === 1 ? "row" : "rows"} · bars are 95\u00a0% intervals; a filled one leaves zero out`);
  }

  #showTable(result) {
    const { document: found, members } = result;
    this.#showCount(result);
    const offers = found.windows.map(({ from, trading_days: days, adds }) => createElement("button", {
      type: "button", class: "plain", text: `Shorten to ${formatDate(from)}: ${days} days, ${adds.length} row${adds.length === 1 ? "" : "s"} more`,
      on: { click: () => this.#change({ window: null, from, to: found.to }) },
    }));
    this.table.show({ rows: found.rows, sort: this.query.sort, slots: this.slots, columns: this.query.columns, members, expanded: this.query.expanded, offers, sharedFlags: new Set(sharedFlags(found.rows).keys()) });
  }

  #showWords({ document: found }) {
    const ranked = found.rows.filter(({ ranked: isRanked }) => isRanked);
    const many = ranked.length > MAX_PINS;
    const selected = many ? (this.selected ?? sortRows(ranked, this.query.sort)[0]?.key ?? null) : null;
    const lines = pairSentences(found, selected);
    setAttribute(this.words, "hidden", !lines.length);
    this.pairs.show(found.pairs, sortRows([...ranked, ...found.rows.filter(({ kind }) => kind === "control")], this.query.sort).map(({ key }) => key));
    setChildren(this.words, [...lines.map((text, index) => createElement("p", { text, class: index ? null : "first" })), this.pairs.element]);
  }

  #showCurve() {
    if (!this.result || this.body.hidden) return;
    const { series, document: found } = this.result;
    const unit = this.query.unit;
    const rows = new Map(found.rows.map((row) => [row.key, row]));
    const isOwn = ({ key, own_from: from }) => from !== null && !rows.get(key)?.ranked;
    const own = series.rows.filter(isOwn);
    setAttribute(this.own, "hidden", own.length ? null : true);
    setAttribute(this.own, "aria-pressed", String(this.query.own));
    setText(this.own, `Own start ${own.length}`);
    const shown = series.rows.filter((row) => (row.kind !== "control" || row.key !== "cash") && (this.query.own || !isOwn(row)));
    this.lines = shown.map(({ key, kind, pl, return_pct: percent, drawdown_pct: fall, own_from: ownFrom }) => ({
      key, name: key, shortName: shortenLabel(key, MAX_NAME_CHARS), slot: this.slots.get(key) ?? null, isBenchmark: kind === "control", isOwnStart: ownFrom !== null && !rows.get(key)?.ranked,
      values: unit === "pct" ? percent : (pl ?? []).map((amount) => (amount === null ? null : toNumber(parseDecimal(amount)))), drawdown: fall,
    })).filter(({ values }) => values.some((value) => value !== null));
    const pinned = this.lines.filter(({ slot }) => slot !== null).map(({ name }) => name);
    this.curve.show({
      days: series.days, lines: this.lines, isOpen: series.last_is_open, formatDay: formatDate, formatAxis: unit === "pct" ? formatAxisPercent : formatAxisMoney,
      label: `Curves of ${this.lines.length} rows from ${formatDate(series.days[0])}, pinned: ${pinned.join(", ") || "none"}. Arrow keys read a day; the table has the figures.`,
    });
    this.#showReading(null);
  }

  #showReading(day) {
    if (!this.result || !this.lines) return;
    const { days, last_is_open: isOpen } = this.result.series;
    const index = day ?? days.length - 1;
    const title = index === days.length - 1 ? `${formatDate(days[index])}${isOpen ? ", today so far" : ", the last day"}` : formatDate(days[index]);
    this.reading.show({
      title, format: this.query.unit === "pct" ? (value) => `${formatDecimal(fromNumber(value), 2, { sign: true })}\u00a0%` : (value) => formatMoney(value),
      lines: this.lines.map((line) => ({ name: shortenLabel(line.name, 18), title: line.name, slot: line.slot, isBenchmark: line.isBenchmark, value: line.values[index] ?? null })),
    });
  }
}

/** A trading day `2026-06-08` as `8 Jun`. */
function formatDate(day) {
  return day ? formatDay(Date.parse(`${day}T12:00:00`)) : "–";
}

function formatAxisPercent(value) {
  return value === 0 ? "0 %" : `${value > 0 ? "+" : "−"}${Math.abs(value).toLocaleString("en", { maximumFractionDigits: 2 })}\u00a0%`;
}

function formatAxisMoney(value) {
  return value === 0 ? "$0" : formatCompact(fromNumber(value), { sign: true, currency: "$" }).replace(/\.00(?=\u00a0|$)/, "");
}

function formatMoney(value) {
  const amount = fromNumber(value);
  return Math.abs(value) >= 1e6 ? formatCompact(amount, { sign: true, currency: "$" }) : formatDecimal(amount, 2, { sign: true, currency: "$" });
}
