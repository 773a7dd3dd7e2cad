// The bar above a view of the past: which moment, how exact, a slider through time, the way back.

import { RANGES } from "../address.js";
import { formatDay, formatFull, formatLongDuration, formatNewYork, formatShort, formatTime, now } from "../format/time_format.js";
import { fetchCurve, fetchEventMoment } from "../state/history_reader.js";
import { createElement, setAttribute, setChildren, setText } from "./dom.js";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const NEWEST_MS = 1_000; // a moment is at least this old, so that it is not in the daemon's future

export class TimeBar {
  /** `onMoment(at)` when the reader chooses a moment (milliseconds), `onNow()` for the present. */
  constructor({ onMoment, onNow, onEscape }) {
    this.onMoment = onMoment;
    this.onNow = onNow;
    this.onEscape = onEscape;
    this.range = "week";
    this.span = null; // { from, to } of the slider in milliseconds; null: not read yet
    this.label = null;
    this.gaps = []; // [from, to, reason] in seconds, of the slider's reach
    this.outages = [];
    this.element = this.#build();
  }

  /** Show a moment; `label` is the account whose record gives begin and gaps of the slider. */
  show({ asOf, label, isFleet, valuedAt, note, error, isReading, fillsSince }) {
    this.asOf = asOf;
    if (label !== this.label || !this.span) this.#load(label);
    else if (asOf < this.span.from && this.range !== "all" && !this.isLoading) this.#setRange("all");
    setText(this.title, `As of ${formatFull(asOf)}`);
    setText(this.ago, [formatNewYork(asOf), `${formatLongDuration(now() - asOf)} ago`].filter(Boolean).join(" · "));
    setText(this.note, this.#noteText({ valuedAt, note, error, isReading, isFleet }));
    setAttribute(this.note, "data-tone", error || note ? "warn" : null);
    setText(this.since, fillsSince ? ` · +${fillsSince.toLocaleString("en")} fills since` : "");
    for (const button of this.eventButtons) setAttribute(button, "hidden", isFleet);
    this.#showInputs();
  }

  focus() {
    this.slider.focus({ preventScroll: true });
  }

  #noteText({ valuedAt, note, error, isReading, isFleet }) {
    if (isReading) return "Reading …";
    if (error) return this.#errorText(error);
    const gap = note ? `${this.#gapText(/reason=([^;]+)/.exec(note)?.[1].replaceAll("-", " ") ?? "gap")} ` : "";
    if (isFleet) return `${gap}All figures are those of ${formatTime(valuedAt)}, to the minute.`;
    const exact = "Orders, fills and quantities are exact to the event";
    return valuedAt ? `${gap}${exact}; money and prices are those of ${formatTime(valuedAt)}.` : `${gap}${exact}.`;
  }

  #errorText(error) {
    const earliest = error.earliest ?? (error.code === "no_history" && this.range === "all" && this.isLoaded ? this.span.from : null);
    return earliest === null ? [error.message, error.remedy].filter(Boolean).join(" – ") : `Nothing is recorded of that time: history starts ${formatShort(earliest)}.`;
  }

  /** What the moment lies in: a gap of the record, or an outage of the account's link. */
  #gapText(reason) {
    const at = this.asOf / 1000;
    const [from, to] = [...this.gaps, ...this.outages].find(([start, end]) => start <= at && at <= end) ?? [];
    if (from === undefined) return `Not everything was recorded here (${reason}).`;
    const span = `from ${formatTime(from * 1000)} to ${formatTime(to * 1000)}`;
    return this.gaps.some(([start]) => start === from)
      ? `Nothing was recorded ${span} (daemon ${reason}): shown is ${formatTime(from * 1000)}.`
      : `The account was not synced ${span}: shown is what the daemon had.`;
  }

  #build() {
    this.title = createElement("strong");
    this.ago = createElement("span", { class: "ago" });
    this.note = createElement("p", { class: "time-note", role: "status" });
    this.since = createElement("span");
    this.slider = createElement("input", {
      type: "range", step: MINUTE_MS / 1000, "aria-label": "Moment",
      on: { input: () => this.#choose(Number(this.slider.value) * 1000), keydown: (event) => this.#handleKey(event) },
    });
    this.spans = createElement("div", { class: "spans", "aria-hidden": "true" });
    this.from = createElement("span");
    this.to = createElement("span", { text: "now" });
    this.date = createElement("input", { type: "date", "aria-label": "Date", on: { change: () => this.#chooseTyped() } });
    this.time = createElement("input", { type: "time", step: 1, "aria-label": "Time of day", on: { change: () => this.#chooseTyped() } });
    this.eventButtons = [this.#button("‹ Event", "The event before", () => this.#chooseEvent(-1)), this.#button("Event ›", "The next event", () => this.#chooseEvent(1))];
    this.ranges = new Map(Object.entries(RANGES).map(([range, text]) =>
      [range, createElement("button", { type: "button", class: "chip", text, on: { click: () => this.#setRange(range) } })]));
    const back = createElement("button", { type: "button", class: "plain strong", on: { click: () => this.onNow() } }, "Back to now", this.since, createElement("kbd", { text: "Esc", "aria-hidden": "true" }));
    const element = createElement("section", { class: "card time-bar", "aria-label": "The past" },
      createElement("div", { class: "time-head" }, createElement("p", {}, this.title, this.ago), back),
      this.note,
      createElement("div", { class: "time-row" },
        this.#button("‹ Day", "A day earlier", () => this.#choose(this.asOf - DAY_MS)), this.eventButtons[0],
        createElement("div", { class: "slider" }, this.spans, this.slider, createElement("div", { class: "scale", "aria-hidden": "true" }, this.from, this.to)),
        this.eventButtons[1], this.#button("Day ›", "A day later", () => this.#choose(this.asOf + DAY_MS))),
      createElement("div", { class: "time-row fields" }, this.date, this.time,
        createElement("div", { class: "chips", role: "group", "aria-label": "Reach of the slider" }, ...this.ranges.values()), this.legend = createElement("span", { class: "legend" })));
    element.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.preventDefault();
      event.stopPropagation();
      this.onEscape();
    });
    return element;
  }

  #button(text, name, onClick) {
    return createElement("button", { type: "button", class: "plain", text, title: name, "aria-label": name, on: { click: onClick } });
  }

  #setRange(range) {
    this.range = range;
    this.#load(this.label);
  }

  /** Read begin, gaps and outages of the slider's reach. */
  async #load(label) {
    this.label = label;
    for (const [range, chip] of this.ranges) setAttribute(chip, "aria-pressed", String(range === this.range));
    this.span ??= { from: now() - 7 * DAY_MS, to: now() };
    if (label === null) return;
    this.isLoading = true;
    try {
      const { gaps, outages, from, to } = await fetchCurve(label, this.range, now() / 1000);
      this.span = { from: Math.floor(from / 60) * MINUTE_MS, to: Math.ceil(to / 60) * MINUTE_MS };
      Object.assign(this, { gaps, outages, isLoaded: true });
      this.#showSpans(gaps, outages);
    } catch {
      // The moment itself says why there is no history.
    }
    this.isLoading = false;
    if (this.asOf !== null) this.#showInputs();
  }

  #showSpans(gaps, outages) {
    const place = (kind) => ([from, to]) => {
      const span = createElement("i", { class: kind });
      const width = this.span.to - this.span.from;
      const left = Math.max(0, (from * 1000 - this.span.from) / width);
      span.style.left = `${left * 100}%`;
      span.style.width = `max(2px, ${Math.max(0, Math.min(1, (to * 1000 - this.span.from) / width) - left) * 100}%)`;
      return span;
    };
    setChildren(this.spans, [...outages.map(place("outage")), ...gaps.map(place("gap"))]);
    setChildren(this.legend, [
      ...(gaps.length ? [createElement("i", { class: "gap" }), "not recorded"] : []),
      ...(outages.length ? [createElement("i", { class: "outage" }), "not synced"] : []),
    ].map((child) => (typeof child === "string" ? createElement("span", { text: child }) : child)));
  }

  #showInputs() {
    const { from, to } = this.span ?? { from: now() - 7 * DAY_MS, to: now() };
    setAttribute(this.slider, "min", Math.floor(from / 1000));
    setAttribute(this.slider, "max", Math.floor(to / 1000));
    this.slider.value = Math.round(this.asOf / 1000);
    setAttribute(this.slider, "aria-valuetext", formatFull(this.asOf));
    this.slider.style.setProperty("--at", `${Math.max(0, Math.min(1, (this.asOf - from) / (to - from))) * 100}%`);
    setText(this.from, to - from > DAY_MS ? formatDay(from) : formatShort(from));
    const [date, time] = localFields(this.asOf);
    if (document.activeElement !== this.date) this.date.value = date;
    if (document.activeElement !== this.time) this.time.value = time;
  }

  #choose(at) {
    const moment = Math.min(at, now() - NEWEST_MS);
    if (moment !== this.asOf) this.onMoment(Math.floor(moment / 1000) * 1000);
  }

  #chooseTyped() {
    const at = Date.parse(`${this.date.value}T${this.time.value || "00:00:00"}`);
    if (!Number.isNaN(at)) this.#choose(at);
  }

  async #chooseEvent(direction) {
    const at = await fetchEventMoment(this.label, this.asOf, direction, now()).catch(() => null);
    if (at !== null) return this.#choose(at);
    setText(this.note, direction < 0 ? "No event before it is recorded." : "No event since then.");
  }

  #handleKey(event) {
    const step = { PageUp: HOUR_MS, PageDown: -HOUR_MS, ArrowRight: MINUTE_MS, ArrowUp: MINUTE_MS, ArrowLeft: -MINUTE_MS, ArrowDown: -MINUTE_MS }[event.key];
    if (!step || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    this.#choose(Math.max(this.span?.from ?? -Infinity, this.asOf + step));
  }
}

/** The values of a date and a time field, by the clock here. */
function localFields(at) {
  const date = new Date(at - new Date(at).getTimezoneOffset() * MINUTE_MS);
  return [date.toISOString().slice(0, 10), date.toISOString().slice(11, 19)];
}
