// What a comparison says, in sentences. Facts come from the daemon; nothing is computed here.

import { formatCount } from "../format/time_format.js";

const MAX_LINES = 6;
const MAX_NAMED = 4;

/** The sentences about pairs; `selected` is the row that they are about where there are many. */
export function pairSentences({ pairs, pairs_compared: compared, pairs_omitted: omitted, ranked_rows: ranked, level }, selected = null) {
  if (ranked < 2) return [];
  const tooFew = pairs.find(({ reason }) => reason?.startsWith("too few days"));
  if (tooFew) return [`${capitalize(tooFew.reason)}. Curves only.`];
  if (!pairs.length) return omitted ? [`Pairs are not compared: ${omitted}.`] : [];
  const known = pairs.filter(({ distinguishable }) => distinguishable !== null);
  const apart = known.filter(({ distinguishable }) => distinguishable);
  const percent = `${Math.round(level * 100)} %`;
  const first = `Of ${formatCount(known.length, "pair")}, ${apart.length || "none"} can be distinguished at ${percent} (allowing for ${formatCount(compared, "comparison")}).`;
  const lines = selected === null ? allRows(known) : [aboutRow(known, selected)];
  return [first, ...lines.filter(Boolean).slice(0, MAX_LINES), ...(lines.length > MAX_LINES ? [`And ${formatCount(lines.length - MAX_LINES, "more row")}.`] : [])];
}

/** One sentence for each row that is ahead of another. */
function allRows(pairs) {
  const ahead = new Map();
  for (const pair of pairs) if (pair.distinguishable) ahead.set(pair.ahead, [...(ahead.get(pair.ahead) ?? []), other(pair, pair.ahead)]);
  const lines = [...ahead].map(([key, others]) => `${key} is ahead of ${join(others)}.`);
  const open = pairs.filter(({ distinguishable }) => !distinguishable);
  if (!open.length) return lines;
  const nearest = open.filter(({ days_needed: days }) => days !== null).sort((a, b) => a.days_needed - b.days_needed)[0];
  const rest = lines.length ? `The other ${formatCount(open.length, "pair")} cannot be distinguished` : "No row can be distinguished from another";
  return [...lines, `${rest}${nearest ? `; the nearest, ${nearest.a} and ${nearest.b}, would need about ${formatCount(nearest.days_needed, "more trading day")}` : ""}.`];
}

function aboutRow(pairs, key) {
  const own = pairs.filter(({ a, b }) => a === key || b === key);
  if (!own.length) return `${key} is not compared with others.`;
  const ahead = own.filter((pair) => pair.ahead === key).map((pair) => other(pair, key));
  const behind = own.filter((pair) => pair.distinguishable && pair.ahead !== key).map((pair) => other(pair, key));
  const open = own.filter(({ distinguishable }) => !distinguishable);
  const parts = [
    ahead.length ? `is ahead of ${join(ahead)}` : null,
    behind.length ? `is behind ${join(behind)}` : null,
    open.length ? `cannot be distinguished from ${join(open.map((pair) => other(pair, key)))}` : null,
  ].filter(Boolean);
  const needed = open.map(({ days_needed: days }) => days).filter((days) => days !== null);
  const more = open.length ? (needed.length ? `: about ${formatCount(Math.min(...needed), "more trading day")} needed for the first of them` : ": more than ten years would be needed") : "";
  return `${key} ${parts.join("; it ")}${more}.`;
}

/** How a row stands to another: `ahead`, `behind`, `open` (cannot be distinguished), or null. */
export function standing(pairs, row, column) {
  const pair = pairs.find(({ a, b }) => (a === row && b === column) || (a === column && b === row));
  if (!pair || pair.distinguishable === null) return null;
  return pair.distinguishable ? (pair.ahead === row ? "ahead" : "behind") : "open";
}

/** Flags that every row but the control rows has: stated once, not in each row. Flag → text. */
export function sharedFlags(rows) {
  const own = rows.filter(({ kind }) => kind !== "control");
  const [first] = own;
  const shared = (first?.flags ?? []).filter(({ flag }) => own.length > 1 && own.every((row) => row.flags.some((each) => each.flag === flag)));
  return new Map(shared.map(({ flag, detail }) => [flag, detail || flag.replaceAll("_", " ")]));
}

function other({ a, b }, key) {
  return a === key ? b : a;
}

function join(names) {
  if (names.length > MAX_NAMED + 1) return `${names.slice(0, MAX_NAMED).join(", ")} and ${names.length - MAX_NAMED} others`;
  return names.join(", ").replace(/, ([^,]*)$/, " and $1");
}

function capitalize(text) {
  return text[0].toUpperCase() + text.slice(1);
}
