// An equity curve: what the daemon remembers, then what is heard. For the eye: figures are elsewhere.

import uPlot from "../vendor/uplot-1.6.32/uPlot.esm.js";
import { make, say } from "./dom.js";
import { clock } from "./words.js";

const POINTS_MOST = 3000;
const STEPS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400, 604800];
const MONEY = new Intl.NumberFormat("en", { style: "currency", currency: "USD" });
const SHORT = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 2 });

export class Curve {
  constructor({ history, label }) {
    this.history = history;
    this.times = [];
    this.values = [];
    this.gaps = []; // [from, to] in seconds; `to` null while it lasts
    this.isLoaded = false;
    this.stage = make("div", { class: "curve-stage", role: "img", "aria-label": label });
    this.empty = make("p", { class: "curve-empty", text: "The curve begins with the next change." });
    this.reading = make("p", { class: "curve-reading", "aria-hidden": "true" });
    this.element = make("div", { class: "curve" }, this.stage, this.empty, this.reading);
    this.sizes = new ResizeObserver(() => this.#fit());
    this.sizes.observe(this.stage);
    this.#load();
  }

  end() {
    this.sizes.disconnect();
    this.plot?.destroy();
    this.plot = null;
    this.isEnded = true;
  }

  /** Add a point: seconds, and a number or null for unknown. */
  add(at, value) {
    if (value === null || !this.isLoaded) return;
    const last = this.times.length - 1;
    if (last >= 0 && at <= this.times[last]) this.values[last] = value;
    else {
      this.times.push(at);
      this.values.push(value);
    }
    if (this.times.length > POINTS_MOST) {
      this.times = this.times.slice(-POINTS_MOST);
      this.values = this.values.slice(-POINTS_MOST);
    }
    this.#draw();
  }

  /** Forget what was heard: from here on it is another sum. */
  restart() {
    if (this.hasHistory) return;
    this.times = [];
    this.values = [];
  }

  /** Draw the colours anew. */
  recolour() {
    this.plot?.destroy();
    this.plot = null;
    this.#draw();
  }

  async #load() {
    try {
      const answer = await fetch(this.history, { signal: AbortSignal.timeout(8000) });
      if (answer.ok) this.#take(await answer.json());
    } catch {
      // No history to be had: the curve begins with what is heard.
    }
    this.isLoaded = true;
    if (!this.isEnded) this.#draw();
  }

  #take({ timestamp = [], equity = [] }) {
    for (const [index, at] of timestamp.entries()) {
      const value = equity[index];
      if (typeof value !== "number" || at <= (this.times.at(-1) ?? 0)) continue;
      this.times.push(at);
      this.values.push(value);
    }
    this.hasHistory = this.times.length > 0;
  }

  #draw() {
    const isDrawn = this.times.length > 1;
    this.empty.hidden = isDrawn || Boolean(this.plot);
    if (!isDrawn || !this.stage.clientWidth) return;
    const data = [this.times, this.values];
    if (this.plot) this.plot.setData(data);
    else this.plot = new uPlot(this.#options(), data, this.stage);
  }

  #fit() {
    const { clientWidth: width, clientHeight: height } = this.stage;
    if (this.plot && width) this.plot.setSize({ width, height });
    else this.#draw();
  }

  #options() {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const axis = { stroke: colour("--muted"), font: `11px ${colour("--sans")}`, ticks: { show: false } };
    return {
      width: this.stage.clientWidth,
      height: this.stage.clientHeight,
      padding: [10, 8, 0, 22],
      legend: { show: false },
      cursor: { y: false, points: { size: 7, width: 2 }, drag: { x: false, y: false } },
      scales: { y: { range: (_, low, high) => roomy(low, high) } },
      axes: [
        { ...axis, grid: { show: false }, size: 26, gap: 6, space: 120, incrs: STEPS_S, values: times },
        {
          ...axis, side: 1, size: 76, gap: 8, space: 44,
          grid: { stroke: colour("--line-soft"), width: 1 },
          values: (_, values) => values.map((value) => short(value, values)),
        },
      ],
      series: [
        {},
        {
          stroke: colour("--accent"), width: 1.75, points: { show: false },
          fill: (plot) => shade(plot, colour("--curve-top"), colour("--curve-bottom")),
        },
      ],
      hooks: {
        setCursor: [(plot) => this.#read(plot.cursor.idx)],
        drawClear: [(plot) => this.#shadeGaps(plot, colour("--gap"))],
      },
    };
  }

  #read(index) {
    const isOver = index !== null && index !== undefined && this.plot?.cursor.left >= 0;
    const text = isOver ? `${MONEY.format(this.values[index])}  ·  ${clock(this.times[index] * 1000)}` : "";
    say(this.reading, text);
  }

  #shadeGaps(plot, colour) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.fillStyle = colour;
    for (const [from, to] of this.gaps) {
      const left = Math.max(bbox.left, plot.valToPos(from, "x", true));
      const right = Math.min(bbox.left + bbox.width, to ? plot.valToPos(to, "x", true) : Infinity);
      if (right > left) ctx.fillRect(left, bbox.top, Math.max(2, right - left), bbox.height);
    }
    ctx.restore();
  }
}

/** Times of day; one too near the edge to be read whole is left out. */
function times(plot, at) {
  return at.map((t) => (plot.valToPos(t, "x") < 12 ? "" : clock(t * 1000).slice(-8)));
}

function shade(plot, top, bottom) {
  const { ctx, bbox } = plot;
  if (!Number.isFinite(bbox.top) || !bbox.height) return top;
  const gradient = ctx.createLinearGradient(0, bbox.top, 0, bbox.top + bbox.height);
  gradient.addColorStop(0, top);
  gradient.addColorStop(1, bottom);
  return gradient;
}

function roomy(low, high) {
  if (!Number.isFinite(low)) return [0, 1];
  const room = Math.max((high - low) * 0.12, Math.abs(high) * 1e-5, 0.5);
  return [low - room, high + room];
}

/** Short, but with digits enough that neighbours differ. */
function short(value, values) {
  const step = values.length > 1 ? Math.abs(values[1] - values[0]) : 1; // alone, it has nothing to differ from
  const unit = Math.abs(value) >= 1e6 ? 1e6 : Math.abs(value) >= 1e3 ? 1e3 : 1;
  const digits = Math.ceil(-Math.log10(step / unit) - 1e-9);
  if (!Number.isFinite(digits)) return SHORT.format(value);
  if (digits > 2) return value.toLocaleString("en", { maximumFractionDigits: step < 1 ? 2 : 0 });
  return (value / unit).toFixed(Math.max(0, digits)) + { 1e6: "M", 1e3: "k", 1: "" }[unit];
}
