// A curve of equity: what the daemon recorded, then what this page receives. Gaps stay gaps.

import uPlot from "../../vendor/uplot-1.6.32/uPlot.esm.js";
import { axisRange, breakAtGaps, cutAtSpans, hatch, moneyLabels, percentLabels, timeLabel } from "./curve_data.js";
import { createElement, setAttribute, setText } from "./dom.js";
import { formatDecimal, fromNumber } from "../format/decimal.js";
import { formatTime } from "../format/time_format.js";
import { HistoryError } from "../state/history_reader.js";

const MAX_POINTS = 3000;
const REQUEST_TIMEOUT_MS = 8000;
const NARROW_PX = 480;
const BEGINS_NOW = "The curve begins with the next change.";
const STEPS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400, 604800];

export class EquityCurve {
  /** `load()` gives `{ points: [[seconds, number], …], gaps: [[from, to], …] }`, or null. */
  constructor({ load, label }) {
    this.times = [];
    this.values = []; // null breaks the line
    this.outages = []; // [from, to] in seconds; `to` null while it lasts
    this.gaps = []; // the same, of what was not recorded
    this.moment = null; // seconds: a line there
    this.ahead = null; // [seconds, number]: a thin line to it from the last point, until a later one
    this.loads = 0;
    this.stage = createElement("div", { class: "curve-stage", role: "img", "aria-label": label });
    this.empty = createElement("p", { class: "curve-empty", text: BEGINS_NOW });
    this.reading = createElement("p", { class: "curve-reading", "aria-hidden": "true" });
    this.element = createElement("div", { class: "curve" }, this.stage, this.empty, this.reading);
    this.sizes = new ResizeObserver(() => this.#fit());
    this.sizes.observe(this.stage);
    this.setSource(load);
  }

  end() {
    this.sizes.disconnect();
    this.plot?.destroy();
    this.plot = null;
    this.isEnded = true;
  }

  /** Add a point: epoch seconds, and a number; null breaks the line. */
  add(at, value) {
    if (!this.isLoaded) return;
    const last = this.times.length - 1;
    if (value === null && (last < 0 || this.values[last] === null)) return;
    if (last >= 0 && at <= this.times[last]) {
      if (value === null || this.values[last] === null) return;
      this.values[last] = value;
    } else {
      this.times.push(at);
      this.values.push(value);
    }
    if (this.times.length > MAX_POINTS) {
      this.times = this.times.slice(-MAX_POINTS);
      this.values = this.values.slice(-MAX_POINTS);
    }
    this.#draw();
  }

  /** Draw a thin line to a point that is not confirmed yet; null removes it. */
  setAhead(point) {
    this.ahead = point;
    if (this.isLoaded) this.#draw();
  }

  /** Forget the points received so far: from here on it is the sum of other accounts. */
  restart() {
    if (this.hasHistory) return;
    this.times = [];
    this.values = [];
  }

  /** Draw in the colours as they are now. */
  redraw() {
    this.plot?.destroy();
    this.plot = null;
    this.#draw();
  }

  /** Show other points: what is drawn stays until they are there. */
  async setSource(load) {
    this.loads += 1;
    const number = this.loads;
    this.isLoaded = false;
    setAttribute(this.element, "data-loading", "yes");
    let history = null;
    let reason = BEGINS_NOW;
    try {
      history = await load();
    } catch (error) {
      if (error instanceof HistoryError) reason = `${error.message} ${error.remedy}`;
    }
    if (number !== this.loads || this.isEnded) return;
    setText(this.empty, reason);
    this.#setHistory(history ?? { points: [], gaps: [] });
    this.isLoaded = true;
    setAttribute(this.element, "data-loading", null);
    this.plot?.destroy();
    this.plot = null;
    this.#draw();
  }

  /** Draw a line at a moment in seconds; null removes it. */
  setMoment(moment) {
    if (moment === this.moment) return;
    this.moment = moment;
    this.plot?.redraw(false);
  }

  get firstTime() {
    return this.times[0] ?? null;
  }

  #setHistory({ points, gaps }) {
    const known = points.filter(([, value]) => typeof value === "number");
    const rising = known.filter(([at], index) => index === 0 || at > known[index - 1][0]);
    const broken = breakAtGaps(rising.map(([at]) => at), rising.map(([, value]) => value));
    this.gaps = gaps;
    const { times, values } = cutAtSpans(broken.times, broken.values, gaps);
    this.times = times;
    this.values = values;
    this.hasHistory = times.length > 0;
  }

  get #start() {
    return this.values.find((value) => value !== null) ?? 0;
  }

  #draw() {
    const isDrawn = this.values.filter((value) => value !== null).length > 1;
    this.empty.hidden = isDrawn || Boolean(this.plot);
    if (!isDrawn || !this.stage.clientWidth) return;
    const data = this.#data();
    if (this.plot) this.plot.setData(data);
    else this.plot = new uPlot(this.#options(), data, this.stage);
  }

  #data() {
    const last = this.times.length - 1;
    const isAhead = this.ahead !== null && this.moment === null && this.ahead[0] > this.times[last] && this.values[last] !== null;
    if (!isAhead) return [this.times, this.values, this.times.map(() => null)];
    const before = this.times.slice(0, last).map(() => null);
    return [[...this.times, this.ahead[0]], [...this.values, null], [...before, this.values[last], this.ahead[1]]];
  }

  #fit() {
    const { clientWidth: width, clientHeight: height } = this.stage;
    const isNarrow = width < NARROW_PX;
    if (this.plot && isNarrow !== this.isNarrow) this.redraw();
    else if (this.plot && width) this.plot.setSize({ width, height });
    else this.#draw();
  }

  #options() {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const axis = { stroke: colour("--muted"), font: `11px ${colour("--sans")}`, ticks: { show: false } };
    this.isNarrow = this.stage.clientWidth < NARROW_PX;
    const sized = (plot, labels) => 14 + 6.6 * Math.max(4, ...(labels ?? []).map((label) => label.length));
    return {
      width: this.stage.clientWidth,
      height: this.stage.clientHeight,
      padding: [10, 8, 0, this.isNarrow ? 12 : 4],
      legend: { show: false },
      cursor: { y: false, points: { size: 7, width: 2 }, drag: { x: false, y: false } },
      scales: { y: { range: (_, low, high) => axisRange(low, high, this.#start) } },
      axes: [
        { ...axis, grid: { show: false }, size: 26, gap: 6, space: 120, incrs: STEPS_S, values: (plot, times, _axis, _space, step) => times.map((at) => (plot.valToPos(at, "x") < 14 ? "" : timeLabel(at, step))) },
        {
          ...axis, side: 1, size: sized, gap: 8, space: 44,
          grid: { stroke: colour("--line-soft"), width: 1 },
          values: (_, values) => moneyLabels(values),
        },
        {
          ...axis, side: 3, size: sized, gap: 6, space: 44, show: !this.isNarrow, grid: { show: false },
          scale: "y", values: (_, values) => percentLabels(values, this.#start),
        },
      ],
      series: [{}, { stroke: colour("--accent"), width: 1.75, points: { show: false }, spanGaps: false },
        { stroke: colour("--muted"), width: 1, points: { show: false }, spanGaps: false }],
      hooks: {
        setCursor: [(plot) => this.#showReading(plot.cursor.idx)],
        drawClear: [(plot) => this.#drawGround(plot, { gap: colour("--gap"), line: colour("--muted"), hatch: colour("--hatch") })],
        draw: [(plot) => this.#drawMoment(plot, colour("--accent"))],
      },
    };
  }

  #showReading(index) {
    const isOver = index !== null && index !== undefined && this.plot?.cursor.left >= 0;
    const value = isOver ? (this.values[index] ?? null) : null;
    if (isOver && index >= this.values.length && this.ahead) {
      return setText(this.reading, `${formatDecimal(fromNumber(this.ahead[1]), 2, { currency: "$" })} marked  ·  ${formatTime(this.ahead[0] * 1000)}`);
    }
    const text = value === null ? "not recorded" : formatDecimal(fromNumber(value), 2, { currency: "$" });
    setText(this.reading, isOver ? `${text}  ·  ${formatTime(this.times[index] * 1000)}` : "");
  }

  /** The outages of the link, what was not recorded, and a line at the start of the curve. */
  #drawGround(plot, colours) {
    const { ctx, bbox } = plot;
    ctx.save();
    this.#fillSpans(plot, this.outages, colours.gap);
    if (this.gaps.length) this.#fillSpans(plot, this.gaps, hatch(ctx, colours.hatch));
    const y = Math.round(plot.valToPos(this.#start, "y", true)) + 0.5;
    if (y > bbox.top && y < bbox.top + bbox.height) {
      ctx.strokeStyle = colours.line;
      ctx.globalAlpha = 0.55;
      ctx.setLineDash([2, 4]);
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
    }
    ctx.restore();
  }

  #fillSpans({ ctx, bbox, valToPos }, spans, style) {
    ctx.fillStyle = style;
    for (const [from, to] of spans) {
      const left = Math.max(bbox.left, valToPos(from, "x", true));
      const right = Math.min(bbox.left + bbox.width, to ? valToPos(to, "x", true) : Infinity);
      if (right > left) ctx.fillRect(left, bbox.top, Math.max(2, right - left), bbox.height);
    }
  }

  #drawMoment({ ctx, bbox, valToPos }, colour) {
    if (this.moment === null) return;
    const x = Math.round(valToPos(this.moment, "x", true)) + 0.5;
    if (x < bbox.left || x > bbox.left + bbox.width + 1) return;
    ctx.save();
    ctx.strokeStyle = colour;
    ctx.lineWidth = 1.5 * devicePixelRatio;
    ctx.setLineDash([4, 3]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.restore();
  }
}

/** What the daemon recorded of today, for `load`. */
export async function fetchRecorded(path) {
  const response = await fetch(path, { signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) });
  if (!response.ok) return null;
  const { timestamp = [], equity = [] } = await response.json();
  return { points: timestamp.map((at, index) => [at, equity[index]]), gaps: [] };
}
