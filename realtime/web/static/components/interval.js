// An estimate with its interval, drawn: a bar, a dot, and the line of zero. Numbers are beside it.

const NAMESPACE = "http://www.w3.org/2000/svg";
const WIDTH = 132;
const HEIGHT = 18;
const EDGE = 6; // room for a dot or an arrow at the ends
const MAX_STRETCH = 2.2; // the scale reaches this many times the largest value; longer ends are clipped

/** The scale of a column: `[low, high]` of estimates `{ value, low, high }`, zero included. */
export function intervalScale(estimates, bounds = null) {
  if (bounds) return bounds;
  const known = estimates.filter(({ value }) => value !== null && value !== undefined);
  const largest = Math.max(...known.map(({ value }) => Math.abs(value)), 0.01);
  const reach = (values, sign) => Math.min(Math.max(0, ...values.map((value) => value * sign)), largest * MAX_STRETCH);
  const low = reach(known.map(({ low: end, value }) => end ?? value), -1);
  const high = reach(known.map(({ high: end, value }) => end ?? value), 1);
  return [-low, Math.max(high, largest * 0.05)];
}

/** Whether an interval leaves a value out; null where there is no interval. */
export function excludes({ low, high }, value = 0) {
  if (low === null || low === undefined || high === null || high === undefined) return null;
  return low > value || high < value;
}

/** A drawing of an estimate on a scale; filled if its interval leaves zero out. */
export function drawInterval({ value, low, high }, [from, to], { zero = 0 } = {}) {
  const svg = create("svg", { class: "interval", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, width: WIDTH, height: HEIGHT, "aria-hidden": "true" });
  const place = (number) => EDGE + ((number - from) / (to - from || 1)) * (WIDTH - 2 * EDGE);
  const clamp = (x) => Math.max(EDGE, Math.min(WIDTH - EDGE, x));
  if (zero >= from && zero <= to) svg.append(create("line", { class: "zero", x1: place(zero), x2: place(zero), y1: 0, y2: HEIGHT }));
  const isKnown = excludes({ low, high }, zero);
  if (isKnown !== null) {
    const [left, right] = [clamp(place(low)), clamp(place(high))];
    svg.append(create("rect", { class: isKnown ? "bar sure" : "bar", x: left, y: 5.5, width: Math.max(1, right - left), height: 7, rx: 3.5 }));
    if (place(low) < EDGE - 0.5) svg.append(create("path", { class: "clipped", d: `M${EDGE} 5.5 L${EDGE - 5} 9 L${EDGE} 12.5` }));
    if (place(high) > WIDTH - EDGE + 0.5) svg.append(create("path", { class: "clipped", d: `M${WIDTH - EDGE} 5.5 L${WIDTH - EDGE + 5} 9 L${WIDTH - EDGE} 12.5` }));
  }
  if (value !== null && value !== undefined) svg.append(create("circle", { class: "dot", cx: clamp(place(value)), cy: 9, r: 3.6 }));
  return svg;
}

function create(tag, attributes) {
  const node = document.createElementNS(NAMESPACE, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, typeof value === "number" ? Math.round(value * 10) / 10 : value);
  return node;
}
