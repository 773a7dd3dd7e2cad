// The points of an equity curve: line breaks, range and labels of the axes.

import { formatDecimal, fromNumber } from "../format/decimal.js";
import { formatDay, formatShort } from "../format/time_format.js";

export const MIN_SPAN = 0.0025; // of the start, up and down: below it, noise would look like news

const NEIGHBOURS = 4; // to either side, for the usual distance of two points
const GAP_FACTOR = 3;
const UNITS = [["T", 1e12], ["B", 1e9], ["M", 1e6], ["k", 1e3], ["", 1]];

/** The same points with a null wherever one is missing: the line breaks there. */
export function breakAtGaps(times, values) {
  const steps = times.slice(1).map((at, index) => at - times[index]);
  const result = { times: [], values: [] };
  for (const [index, at] of times.entries()) {
    if (index && steps[index - 1] > GAP_FACTOR * usualStep(steps, index - 1)) {
      result.times.push(times[index - 1] + 1);
      result.values.push(null);
    }
    result.times.push(at);
    result.values.push(values[index]);
  }
  return result;
}

function usualStep(steps, index) {
  const near = steps.slice(Math.max(0, index - NEIGHBOURS), index + NEIGHBOURS + 1).sort((a, b) => a - b);
  return near[Math.floor((near.length - 1) / 2)];
}

/** The range of the y axis: all values with some room, and at least ±0.25 % of the start. */
export function axisRange(low, high, start) {
  if (!Number.isFinite(low) || !Number.isFinite(high)) return [0, 1];
  const least = Math.max(Math.abs(start) * MIN_SPAN, 0.5);
  const [bottom, top] = [Math.min(low, start - least), Math.max(high, start + least)];
  const room = (top - bottom) * 0.06;
  return [bottom - room, top + room];
}

/** Labels of the money axis: in one unit, with as many decimals as neighbours need to differ. */
export function moneyLabels(values) {
  const largest = Math.max(...values.map(Math.abs), 1);
  const step = values.length > 1 ? Math.abs(values[1] - values[0]) : largest;
  const [name, unit] = UNITS.find(([, size]) => largest >= size && step / size >= 0.000999) ?? UNITS.at(-1);
  const decimals = Math.max(0, Math.min(3, Math.ceil(-Math.log10(step / unit) - 1e-9)));
  return values.map((value) => `${formatDecimal(fromNumber(value / unit), decimals, { currency: "$" })}${name && `\u00a0${name}`}`);
}

/** Labels of the percent axis: change against the start. */
export function percentLabels(values, start) {
  if (!start) return values.map(() => "");
  const step = values.length > 1 ? Math.abs(((values[1] - values[0]) / start) * 100) : 1;
  const decimals = Math.max(0, Math.min(3, Math.ceil(-Math.log10(step) - 1e-9)));
  return values.map((value) => `${formatDecimal(fromNumber(((value - start) / Math.abs(start)) * 100), decimals, { sign: true })}\u00a0%`);
}

/** The same points without those inside spans `[from, to]`, and with a null in each: the line breaks there. */
export function cutAtSpans(times, values, spans) {
  if (!spans.length) return { times, values };
  const points = times.map((at, index) => [at, values[index]]).filter(([at]) => !spans.some(([from, to]) => at > from && at < (to ?? Infinity)));
  for (const [from] of spans) if (from > times[0] && from < times.at(-1)) points.push([from + 0.5, null]);
  points.sort(([a], [b]) => a - b);
  return { times: points.map(([at]) => at), values: points.map(([, value]) => value) };
}

/** The label of a tick of the time axis; `step` is the distance of two ticks, all in seconds. */
export function timeLabel(at, step) {
  if (step >= 86400) return formatDay(at * 1000);
  const [day, time] = formatShort(at * 1000).split(", ");
  if (step >= 60) return time === "00:00" ? day : time;
  return `${time}:${String(Math.floor(at % 60)).padStart(2, "0")}`;
}

/** A pattern of thin diagonal lines for what was not recorded. */
export function hatch(context, colour) {
  const tile = document.createElement("canvas");
  const size = 8 * devicePixelRatio;
  Object.assign(tile, { width: size, height: size });
  const pen = tile.getContext("2d");
  pen.strokeStyle = colour;
  pen.lineWidth = devicePixelRatio;
  for (const offset of [-size, 0, size]) {
    pen.moveTo(offset - 1, size + 1);
    pen.lineTo(offset + size + 1, -1);
  }
  pen.stroke();
  return context.createPattern(tile, "repeat");
}
