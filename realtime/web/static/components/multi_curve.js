// Many curves from one start, and below them the drawdown of those that are pinned.
//
// The plots are drawn when data or pins change. A line that is pointed at is drawn once more on a
// canvas above; the plots are not redrawn for it.

import uPlot from "../../vendor/uplot-1.6.32/uPlot.esm.js";
import { createElement, setChildren, setText } from "./dom.js";
import { placeLabels } from "./labels.js";

const LABEL_GAP_PX = 15;
const NARROW_PX = 560;
const STEPS = [1, 2, 5, 10, 21, 42, 63, 126, 252];
const LEADER_PX = 14;
const POINT_PX = 14; // a line this near is the one that is pointed at

export class MultiCurve {
  /**
   * `onDay(index)` is called when the pointer or a key chooses another day, `onPoint(key)` when it
   * is at another line (null: none), `onRange(from, to)` when a range is dragged.
   */
  constructor({ label, onDay, onRange, onPoint }) {
    this.onDay = onDay;
    this.onRange = onRange;
    this.onPoint = onPoint;
    this.day = null;
    this.lines = [];
    this.main = createElement("div", { class: "multi-main" });
    this.below = createElement("div", { class: "multi-below" });
    this.names = createElement("div", { class: "multi-names", "aria-hidden": "true" });
    this.belowTitle = createElement("p", { class: "multi-title", text: "Drawdown of the pinned lines", "aria-hidden": "true" });
    this.stage = createElement("div", { class: "multi", role: "img", tabindex: "0", "aria-label": label }, this.main, this.names, this.belowTitle, this.below);
    this.element = this.stage;
    this.stage.addEventListener("keydown", (event) => this.#handleKey(event));
    this.sizes = new ResizeObserver(() => this.#fit());
    this.sizes.observe(this.main);
  }

  end() {
    this.sizes.disconnect();
    this.#destroy();
  }

  /**
   * Show curves over days. A line has `key`, `name`, `values`, `drawdown`, `slot` (0 to 5 if it is
   * pinned, else null), `isBenchmark`, `isOwnStart`. `isOpen`: the last day is not over.
   */
  show({ days, lines, isOpen, formatAxis, formatDay, label }) {
    Object.assign(this, { days, lines, isOpen, formatAxis, formatDay });
    this.stage.setAttribute("aria-label", label);
    this.redraw();
  }

  redraw() {
    this.#destroy();
    if (!this.days?.length || !this.main.clientWidth) return;
    const style = getComputedStyle(document.documentElement);
    this.colour = (name) => style.getPropertyValue(name).trim();
    this.isNarrow = this.main.clientWidth < NARROW_PX;
    // Grey lines first, so that the pinned ones lie above them.
    this.order = [...this.lines].sort((a, b) => rank(a) - rank(b));
    const x = this.days.map((_, index) => index);
    this.plot = new uPlot(this.#options(this.main, this.order, (line) => line.values, { isBelow: false }), [x, ...this.order.map(({ values }) => values)], this.main);
    const pinned = this.order.filter(({ slot }) => slot !== null);
    this.belowTitle.hidden = this.below.hidden = !pinned.length;
    if (pinned.length) this.lower = new uPlot(this.#options(this.below, pinned, (line) => line.drawdown, { isBelow: true }), [x, ...pinned.map(({ drawdown }) => drawdown)], this.below);
  }

  /** Places are only known once the plot has been laid out. */
  #complete(plot) {
    this.overlay = createElement("canvas", { class: "multi-overlay" });
    plot.over.append(this.overlay);
    this.plot = plot;
    this.#placeNames();
  }

  /** Draw one line once more, above all; null removes it. */
  highlight(key) {
    if (!this.plot || !this.overlay) return;
    const { bbox } = this.plot;
    Object.assign(this.overlay, { width: bbox.width, height: bbox.height });
    for (const name of this.names.children) name.toggleAttribute("data-faint", key !== null && name.dataset.key !== key);
    const line = this.lines.find((each) => each.key === key);
    if (!line) return;
    const pen = this.overlay.getContext("2d");
    pen.strokeStyle = this.#stroke(line, true);
    pen.lineWidth = 2.5 * devicePixelRatio;
    pen.lineJoin = "round";
    let isDown = false;
    for (const [index, value] of line.values.entries()) {
      if (value === null || value === undefined) { isDown = false; continue; }
      const [left, top] = [this.plot.valToPos(index, "x", true) - bbox.left, this.plot.valToPos(value, "y", true) - bbox.top];
      if (isDown) pen.lineTo(left, top);
      else pen.moveTo(left, top);
      isDown = true;
    }
    pen.stroke();
  }

  /** Choose a day by its index. */
  setDay(index) {
    const day = index === null ? null : Math.max(0, Math.min(this.days.length - 1, index));
    for (const plot of [this.plot, this.lower]) plot?.setCursor({ left: day === null ? -10 : plot.valToPos(day, "x"), top: 0 });
    this.#setDay(day);
  }

  #setDay(day) {
    if (day === this.day) return;
    this.day = day;
    this.onDay(day);
  }

  #destroy() {
    this.plot?.destroy();
    this.lower?.destroy();
    this.plot = this.lower = this.leaders = null;
  }

  #fit() {
    if (this.plot && this.main.clientWidth < NARROW_PX === this.isNarrow) {
      this.plot.setSize(sizeOf(this.main));
      this.lower?.setSize(sizeOf(this.below));
      this.#placeNames();
    } else this.redraw();
  }

  #stroke(line, isAbove = false) {
    if (line.isBenchmark) return this.colour("--text");
    if (line.slot === null) return this.colour(isAbove ? "--text" : "--calm-lamp");
    return this.colour(`--line-${line.slot + 1}`);
  }

  #options(element, lines, valuesOf, { isBelow }) {
    const axis = { stroke: this.colour("--muted"), font: `11px ${this.colour("--sans")}`, ticks: { show: false } };
    return {
      ...sizeOf(element),
      padding: [8, this.isNarrow ? 10 : 128, 0, 0],
      legend: { show: false },
      cursor: { y: false, points: { show: false }, drag: { x: !isBelow && !this.isNarrow, y: false, setScale: false }, bind: { dblclick: () => null } },
      scales: { x: { time: false }, y: { range: (_, low, high) => spanOf(low, high, isBelow) } },
      axes: [
        { ...axis, show: isBelow || !this.lines.some(({ slot }) => slot !== null), grid: { show: false }, size: 24, gap: 6, space: 88, incrs: STEPS, values: (_, splits) => splits.map((at) => (Number.isInteger(at) && this.days[at] ? this.formatDay(this.days[at]) : "")) },
        { ...axis, side: 3, size: 62, gap: 8, space: isBelow ? 34 : 46, grid: { stroke: this.colour("--line-soft"), width: 1 }, values: (_, splits) => splits.map((value) => (isBelow ? formatShare(value) : this.formatAxis(value))) },
      ],
      series: [{}, ...lines.map((line) => ({
        stroke: this.#stroke(line), width: line.slot === null && !line.isBenchmark ? 1 : line.isBenchmark ? 1.5 : 2,
        dash: line.isBenchmark ? [6, 4] : line.isOwnStart ? [3, 3] : undefined,
        points: { show: valuesOf(line).filter((value) => value !== null).length === 1 }, spanGaps: false,
      }))],
      hooks: {
        ready: [(plot) => { if (!isBelow) this.#complete(plot); }],
        setCursor: [(plot) => {
          if (plot.cursor.event && plot.cursor.idx !== undefined) this.#follow(plot);
        }],
        setSelect: [(plot) => this.#select(plot)],
        draw: [(plot) => { this.#drawZero(plot); if (!isBelow) this.#drawLeaders(plot); }],
      },
    };
  }

  /** The pointer is over one plot: the other shows the same day, the nearest line is lit. */
  #follow(plot) {
    const day = plot.cursor.left < 0 ? null : plot.cursor.idx ?? null;
    const twin = plot === this.plot ? this.lower : this.plot;
    if (twin) twin.setCursor({ left: day === null ? -10 : twin.valToPos(day, "x"), top: 0 }, false);
    this.#setDay(day);
    if (plot === this.plot) this.onPoint(day === null ? null : this.#nearest(plot, day));
  }

  /** The key of the line under the pointer. */
  #nearest(plot, day) {
    const distances = this.order.filter(({ values }) => values[day] !== null && values[day] !== undefined)
      .map(({ key, values }) => [Math.abs(plot.valToPos(values[day], "y") - plot.cursor.top), key])
      .sort(([a], [b]) => a - b);
    return distances.length && distances[0][0] < POINT_PX ? distances[0][1] : null;
  }

  #select(plot) {
    const { left, width } = plot.select;
    if (width < 12) return;
    const [from, to] = [left, left + width].map((at) => Math.round(plot.posToVal(at, "x")));
    plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    if (to > from) this.onRange(Math.max(from, 0), Math.min(to, this.days.length - 1));
  }

  #drawZero({ ctx, bbox, valToPos }) {
    const y = Math.round(valToPos(0, "y", true)) + 0.5;
    if (y < bbox.top - 1 || y > bbox.top + bbox.height + 1) return;
    ctx.save();
    ctx.strokeStyle = this.colour("--muted");
    ctx.lineWidth = 1;
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.restore();
  }

  /** The names at the right end of the lines, apart from one another. */
  #placeNames() {
    const named = this.isNarrow ? [] : this.lines.filter(({ slot, isBenchmark }) => slot !== null || isBenchmark);
    const ends = named.map((line) => ({ line, at: line.values.findLastIndex((value) => value !== null) })).filter(({ at }) => at >= 0);
    const top = this.plot.over.offsetTop;
    const places = placeLabels(ends.map(({ line, at }) => top + this.plot.valToPos(line.values[at], "y")), { gap: LABEL_GAP_PX, top: top + 6, bottom: top + this.plot.over.clientHeight - 4 });
    this.leaders = ends.map(({ line, at }, index) => ({ line, at, to: places[index] - top }));
    const left = this.plot.over.offsetLeft + this.plot.over.clientWidth + LEADER_PX;
    setChildren(this.names, ends.map(({ line }, index) => {
      const name = createElement("span", { "data-slot": line.slot ?? "", "data-key": line.key, title: line.name });
      setText(name, line.shortName);
      name.style.left = `${left}px`;
      name.style.top = `${places[index]}px`;
      return name;
    }));
    // While a plot becomes ready, uPlot ignores requests to draw.
    queueMicrotask(() => this.plot?.redraw(false));
  }

  #drawLeaders({ ctx, bbox, valToPos }) {
    const ratio = devicePixelRatio;
    for (const { line, at, to } of this.leaders ?? []) {
      const y = valToPos(line.values[at], "y", true);
      ctx.save();
      ctx.strokeStyle = this.#stroke(line);
      ctx.globalAlpha = 0.6;
      ctx.lineWidth = ratio;
      ctx.beginPath();
      ctx.moveTo(valToPos(at, "x", true), y);
      if (at < this.days.length - 1) ctx.setLineDash([2 * ratio, 3 * ratio]);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.lineTo(bbox.left + bbox.width + (LEADER_PX - 3) * ratio, bbox.top + to * ratio);
      ctx.stroke();
      if (this.isOpen && at === this.days.length - 1) this.#drawHollow(ctx, valToPos(at, "x", true), y);
      ctx.restore();
    }
  }

  /** The last point of a day that is not over. */
  #drawHollow(ctx, x, y) {
    ctx.globalAlpha = 1;
    ctx.setLineDash([]);
    ctx.fillStyle = this.colour("--surface");
    ctx.lineWidth = 1.75 * devicePixelRatio;
    ctx.beginPath();
    ctx.arc(x, y, 3.5 * devicePixelRatio, 0, 2 * Math.PI);
    ctx.fill();
    ctx.stroke();
  }

  #handleKey(event) {
    const last = (this.days?.length ?? 0) - 1;
    const step = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity }[event.key];
    if (step === undefined || last < 0 || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const from = this.day ?? (step > 0 ? -1 : last + 1);
    this.setDay(step === -Infinity ? 0 : step === Infinity ? last : from + step);
  }
}

function rank({ slot, isBenchmark }) {
  return slot !== null ? 2 : isBenchmark ? 1 : 0;
}

function sizeOf(element) {
  return { width: element.clientWidth, height: element.clientHeight };
}

/** Zero is always in it, and noise does not fill it: at least ±0.25 % of the start. */
function spanOf(low, high, isBelow) {
  if (!Number.isFinite(low) || !Number.isFinite(high)) return isBelow ? [-1, 0] : [-1, 1];
  if (isBelow) return [Math.min(low * 1.08, -0.5), 0];
  const [bottom, top] = [Math.min(low, -0.25), Math.max(high, 0.25)];
  const room = (top - bottom) * 0.05;
  return [bottom - room, top + room];
}

function formatShare(value) {
  return value === 0 ? "0 %" : `−${Math.abs(value).toLocaleString("en", { maximumFractionDigits: 1 })}\u00a0%`;
}
