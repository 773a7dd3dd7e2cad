// Sentences about accounts marked to market: source, age, error, and what is not known. Pure.

import { formatDecimal, parseDecimal } from "./decimal.js";
import { formatTime } from "./time_format.js";

const FEED_NAMES = { sip: "SIP", iex: "IEX only", opra: "OPRA", indicative: "indicative", us: "Alpaca's exchange" };
const LETTERS = { sip: "S", iex: "I", opra: "O", indicative: "I", us: "C" };
const MAX_NAMES = 4;
const ENOUGH_CHECKS = 20; // fewer have no 95th percentile worth the name
const ONE = 10n ** 18n;

/** What stands below a marked equity: `[text, tone]`, most important first. */
export function markNotes(mark, positions, nowMs) {
  const { unpriced, halted, held, old } = mark.prices;
  const byName = new Map((positions ?? []).map((position) => [position.symbol, position]));
  const notes = [];
  if (unpriced.length) notes.push([`${count(unpriced.length, "position")} without a price: ${names(unpriced)}. The account's equity cannot be marked`, "warn"]);
  for (const symbol of held.slice(0, MAX_NAMES)) notes.push([heldText(symbol, byName.get(symbol)), "warn"]);
  if (held.length > MAX_NAMES) notes.push([`and ${held.length - MAX_NAMES} more wait for the broker`, "warn"]);
  if (halted.length) notes.push([`trading halted: ${names(halted)}, at the last price`, "warn"]);
  notes.push([sourceText(mark, nowMs), old ? "warn" : null]);
  if (mark.error) notes.push([errorText(mark.error), null]);
  return notes;
}

/** `SIP, 0.3 s old`, `IEX only: indicative, 12 s old`, `last trade 19:59:58`. */
export function sourceText({ feed, indicative, price_at: at, session, prices }, nowMs) {
  const source = indicative ? "IEX only: indicative" : (FEED_NAMES[feed] ?? feed);
  if (!at) return source;
  const isOpen = session === null || session === "regular" || session === "pre" || session === "post";
  const age = isOpen ? `${prices?.old ? `${prices.old} of ${prices.old + prices.fresh} prices old, the oldest ` : ""}${preciseAge(at, nowMs)} old` : `oldest trade ${formatTime(at)}`;
  return `${source}, ${age}`;
}

/** A total at the market's prices: `marked 8,099,081.10, 0.4 s old`; null without market data. */
export function totalMarkText(total, nowMs) {
  if (!total) return null;
  const { equity, unknown, price_at: at, indicative } = total;
  if (equity === null) return `marked: unknown, ${count(unknown, "account")} with a position without a price`;
  const age = at ? `, oldest price ${preciseAge(at, nowMs)}` : "";
  return `marked ${money(equity)}${age}${indicative ? ", IEX only: indicative" : ""}`;
}

/** How far marks were off when the broker was read. */
export function errorText({ reads, p95, max, last }) {
  const off = reads < ENOUGH_CHECKS ? `off by at most ${money(max)} in ${count(reads, "check")}` : `off by at most ${money(p95)} in 95 of 100 checks`;
  return `${off}, now ${formatDecimal(parseDecimal(last), 2, { sign: true })}`;
}

/** `0.3 s`, `41 s`, `3 min`. */
export function preciseAge(at, nowMs) {
  const seconds = Math.max(0, nowMs - Date.parse(at)) / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 100) return `${Math.floor(seconds)} s`;
  return seconds < 5400 ? `${Math.floor(seconds / 60)} min` : `${Math.floor(seconds / 3600)} h`;
}

/** Where a position's price is from: letter and words. */
export function priceSource({ source, feed }) {
  if (source === "broker") return ["B", "the broker's last read"];
  if (source === "quote") return ["Q", `the middle of bid and ask (${feed})`];
  if (source !== "trade") return ["–", "no price is known"];
  return [LETTERS[feed] ?? "T", `the last trade, ${FEED_NAMES[feed] ?? feed}`];
}

function heldText(symbol, position) {
  const [from, to] = [parseDecimal(position?.price), parseDecimal(position?.held_price)];
  if (!from || to === null) return `${symbol} jumped: waiting for the broker`;
  const size = ((to > from ? to - from : from - to) * 100n * ONE) / from;
  return `${symbol} moved ${formatDecimal(size, 0)} % in one step: waiting for the broker`;
}

function names(symbols) {
  const shown = symbols.slice(0, MAX_NAMES).join(", ");
  return symbols.length > MAX_NAMES ? `${shown} and ${symbols.length - MAX_NAMES} more` : shown;
}

function count(number, noun) {
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
}

function money(text) {
  return formatDecimal(parseDecimal(text), 2);
}
