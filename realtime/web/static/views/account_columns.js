// The columns of an account's positions and orders.

import { createBoundBar, fillBoundBar } from "../components/bound_bar.js";
import { createElement, setAttribute, setShortText, setText } from "../components/dom.js";
import { formatDecimal, parseDecimal, percent, toneOf } from "../format/decimal.js";
import { formatPrice, formatQuantity, formatSymbol, shortenLabel } from "../format/instrument_format.js";
import { preciseAge, priceSource } from "../format/mark_text.js";
import { formatTime, now } from "../format/time_format.js";

const ONE = 10n ** 18n;
const MAX_ID_CHARS = 18;

const moneyColumn = (key, name, isResult = false) => ({
  key, name, kind: "number",
  show: (item) => formatDecimal(parseDecimal(item[key]), 2, { sign: isResult }),
  worth: (item) => parseDecimal(item[key]),
  tone: isResult ? (item) => toneOf(parseDecimal(item[key])) : undefined,
});

export const POSITION_COLUMNS = [
  { key: "symbol", name: "Symbol", kind: "head", fill: fillSymbol },
  { key: "qty", name: "Quantity", kind: "number", show: ({ qty }) => formatQuantity(qty), worth: ({ qty }) => parseDecimal(qty) },
  { key: "avg_entry_price", name: "Average", kind: "number", show: (item) => formatPrice(item.avg_entry_price) },
  { key: "current_price", name: "Price", kind: "number", fill: fillPrice, worth: (item) => parseDecimal(item.current_price) },
  moneyColumn("market_value", "Value"),
  moneyColumn("unrealized_intraday_pl", "Day P/L", true),
  moneyColumn("unrealized_pl", "Open P/L", true),
  {
    key: "unrealized_plpc", name: "Open %", kind: "number",
    show: (item) => formatDecimal(percent(parseDecimal(item.unrealized_plpc), ONE), 2, { sign: true }),
    tone: (item) => toneOf(percent(parseDecimal(item.unrealized_plpc), ONE)),
  },
];

/** Items are `{ order, parent }`, as `AccountState.orderTree` gives them. */
export const ORDER_COLUMNS = [
  { key: "submitted_at", name: "Time", kind: "head", fill: fillTime },
  { key: "order-symbol", name: "Symbol", show: ({ order, parent }) => formatSymbol(order.symbol ?? parent?.symbol) },
  { key: "side", name: "Side", show: ({ order }) => (order.side ? capitalize(order.side) : (order.order_class ?? "–")) },
  { key: "type", name: "Type", show: ({ order }) => [order.type?.replace("_", " "), order.time_in_force].filter(Boolean).join(" · ") },
  { key: "filled", name: "Filled", kind: "number", show: ({ order }) => filledText(order), worth: ({ order }) => parseDecimal(order.filled_qty) },
  { key: "limit", name: "At", kind: "number", show: ({ order }) => priceText(order) },
  { key: "filled_avg_price", name: "Average", kind: "number", show: ({ order }) => formatPrice(order.filled_avg_price) },
  { key: "client_order_id", name: "Client order id", fill: fillClientId },
  { key: "status", name: "Status", fill: fillStatus },
];

/** A position at its marked price; the broker's figures where there is none. `mark`: of `market/marks`. */
export function withMark(position, mark) {
  const isUsable = mark && mark.price !== null && !mark.held && parseDecimal(mark.qty) === parseDecimal(position.qty);
  if (!isUsable) return { ...position, mark };
  const { price, market_value: value, unrealized_pl: gain, unrealized_intraday_pl: today } = mark;
  const part = percent(parseDecimal(gain), parseDecimal(position.cost_basis));
  return {
    ...position, mark, current_price: price, market_value: value, unrealized_pl: gain, unrealized_intraday_pl: today,
    unrealized_plpc: part === null ? position.unrealized_plpc : formatDecimal(part / 100n, 8).replaceAll(",", "").replace("−", "-"),
  };
}

function fillSymbol(cell, { symbol, mark, alert }) {
  if (!cell.firstChild) cell.append(createElement("span"), createElement("span", { class: "flag" }));
  fillBound(cell, alert);
  const flag = !mark ? "" : mark.price === null ? "no price" : mark.held ? "jumped" : mark.halted ? "halted" : "";
  setText(cell.children[1], flag);
  setAttribute(cell.children[1], "hidden", flag === "");
  return setText(cell.firstChild, formatSymbol(symbol));
}

/** A bar of a position's risk against the bound of its tier, where it is over it. */
function fillBound(cell, alert) {
  let box = cell.querySelector(".over-bound");
  if (!alert && !box) return;
  if (!box) {
    box = createElement("a", { class: "over-bound", href: "#/alerts?list=over" }, ...createBoundBar());
    cell.append(box);
  }
  setAttribute(box, "hidden", alert ? null : true);
  if (!alert) return;
  fillBoundBar(box.children, alert);
  setAttribute(box, "title", `${formatDecimal(parseDecimal(alert.value), 1)} % of the initial balance, the tier's bound is ${formatDecimal(parseDecimal(alert.bound), 1)} %`);
}

/** The price, the letter of its source, and on focus its age. */
function fillPrice(cell, { current_price: price, mark }) {
  if (!cell.firstChild) cell.append(createElement("span"), createElement("span", { class: "source", tabindex: "0", role: "note" }));
  const [text, source] = cell.children;
  setAttribute(source, "hidden", !mark);
  if (mark) {
    const isUsed = mark.price !== null && !mark.held;
    const [letter, about] = isUsed ? priceSource(mark) : ["B", "the broker's last read"];
    const age = isUsed && mark.price_at ? `, ${preciseAge(mark.price_at, now())} old` : "";
    setText(source, letter);
    setAttribute(source, "aria-label", `${about}${age}`);
    setAttribute(source, "title", `${about}${age}`);
    setAttribute(source, "data-age", age.slice(2) || null);
    setAttribute(cell, "data-old", mark.old ? "yes" : null);
  }
  return setText(text, formatPrice(price));
}

const STATUS_TONES = { partially_filled: "active", new: "active", accepted: "active", rejected: "warn", pending_cancel: "warn", pending_replace: "warn" };

function fillTime(cell, { order, parent }) {
  setAttribute(cell.parentElement ?? cell, "data-leg", parent ? "yes" : null);
  return setText(cell, parent ? "leg" : formatTime(order.submitted_at));
}

function fillStatus(cell, { order: { status } }) {
  cell.firstChild ?? cell.append(createElement("span", { class: "pill" }));
  setAttribute(cell.firstChild, "data-tone", STATUS_TONES[status] ?? "calm");
  return setText(cell.firstChild, status.replaceAll("_", " "));
}

function fillClientId(cell, { order: { client_order_id: id } }) {
  cell.firstChild ?? cell.append(createElement("code"));
  return setShortText(cell.firstChild, id ? shortenLabel(id, MAX_ID_CHARS) : "–", id ?? "–");
}

function filledText({ filled_qty: filled, qty, notional }) {
  if (qty === null || qty === undefined) return notional ? formatDecimal(parseDecimal(notional), 2, { currency: "$" }) : formatQuantity(filled);
  return parseDecimal(filled) === parseDecimal(qty) ? formatQuantity(qty) : `${formatQuantity(filled ?? "0")} / ${formatQuantity(qty)}`;
}

function priceText({ type, limit_price: limit, stop_price: stop, trail_percent: percentage, trail_price: trail }) {
  if (limit && stop) return `${formatPrice(limit)} stop ${formatPrice(stop)}`;
  if (limit || stop) return formatPrice(limit ?? stop);
  if (percentage) return `trail ${formatQuantity(percentage)} %`;
  if (trail) return `trail ${formatPrice(trail)}`;
  return type === "market" ? "market" : "–";
}

function capitalize(text) {
  return text[0].toUpperCase() + text.slice(1);
}
