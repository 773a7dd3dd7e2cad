// The columns of an account's positions and orders.

import { exact, percent, spell } from "./decimal.js";
import { make, mark, say } from "./dom.js";
import { price, quantity, symbolOf } from "./feed.js";
import { toneOf } from "./figure.js";
import { clock } from "./words.js";

const HUNDRED = 10n ** 18n;

const amount = (key, name, options = {}) => ({
  key, name, kind: "number",
  show: (item) => spell(exact(item[key]), 2, options),
  worth: (item) => exact(item[key]),
  isResult: options.sign,
  tone: options.sign ? (item) => toneOf(exact(item[key])) : undefined,
});

const part = (key, name, beside) => ({
  key, name, kind: "number",
  show: (item) => {
    const ratio = exact(item[key]);
    return ratio === null ? "–" : spell(percent(ratio, HUNDRED), 2, { sign: true });
  },
  tone: (item) => toneOf(exact(item[beside])),
});

export const POSITIONS = [
  { key: "symbol", name: "Symbol", kind: "head", show: ({ symbol }) => symbolOf(symbol) },
  { key: "qty", name: "Quantity", kind: "number", show: ({ qty }) => quantity(qty), worth: ({ qty }) => exact(qty) },
  { key: "avg_entry_price", name: "Average", kind: "number", show: (item) => price(item.avg_entry_price) },
  { key: "current_price", name: "Price", kind: "number", show: (item) => price(item.current_price), worth: (item) => exact(item.current_price) },
  amount("market_value", "Value"),
  amount("unrealized_intraday_pl", "Day P/L", { sign: true }),
  amount("unrealized_pl", "Open P/L", { sign: true }),
  part("unrealized_plpc", "Open %", "unrealized_pl"),
];

export const ORDERS = [
  { key: "submitted_at", name: "Time", kind: "head", show: ({ submitted_at: at }) => clock(at) },
  { key: "order-symbol", name: "Symbol", show: ({ symbol, order_class: kind }) => (symbol ? symbolOf(symbol) : (kind ?? "–")) },
  { key: "side", name: "Side", fill: fillSide },
  { key: "type", name: "Type", show: ({ type, time_in_force: force }) => [type?.replace("_", " "), force].filter(Boolean).join(" · ") },
  { key: "filled", name: "Filled", kind: "number", show: filled, worth: ({ filled_qty: qty }) => exact(qty) },
  { key: "limit", name: "At", kind: "number", show: at },
  { key: "filled_avg_price", name: "Average", kind: "number", show: (order) => price(order.filled_avg_price) },
  { key: "status", name: "Status", fill: fillStatus },
];

const TONES = { filled: "good", partially_filled: "live", new: "live", accepted: "live", canceled: "calm", expired: "calm", replaced: "calm", rejected: "bad", held: "calm" };

function fillStatus(cell, { status }) {
  cell.firstChild ?? cell.append(make("span", { class: "pill" }));
  mark(cell.firstChild, "data-tone", TONES[status] ?? "warn");
  return say(cell.firstChild, status.replaceAll("_", " "));
}

function fillSide(cell, { side }) {
  cell.firstChild ?? cell.append(make("span"));
  mark(cell.firstChild, "class", `side ${side === "buy" ? "buy" : "sell"}`);
  return say(cell.firstChild, side ? side[0].toUpperCase() + side.slice(1) : "–");
}

function filled({ filled_qty: done, qty, notional }) {
  if (qty === null || qty === undefined) return notional ? `$${spell(exact(notional))}` : quantity(done);
  return exact(done) === exact(qty) ? quantity(qty) : `${quantity(done ?? "0")} / ${quantity(qty)}`;
}

function at({ limit_price: limit, stop_price: stop, trail_percent: percentage, trail_price: trail }) {
  if (limit && stop) return `${price(limit)} stop ${price(stop)}`;
  if (limit || stop) return price(limit ?? stop);
  return percentage ? `trail ${percentage} %` : trail ? `trail ${price(trail)}` : "";
}
