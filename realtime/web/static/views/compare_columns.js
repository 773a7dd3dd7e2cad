// The columns of a comparison: every figure with its n and its interval, or the reason why not.

import { createElement, setAttribute, setText } from "../components/dom.js";
import { drawInterval, excludes, intervalScale } from "../components/interval.js";
import { formatDecimal, formatFitting, fromNumber, parseDecimal, toneOf } from "../format/decimal.js";
import { formatCount } from "../format/time_format.js";

const MAX_MONEY_CHARS = 14;

/** A number from the daemon with decimals, in the page's way of writing; `–` if unknown. */
export function formatNumber(value, decimals = 2, options = {}) {
  return value === null || value === undefined ? "–" : formatDecimal(fromNumber(value), decimals, options);
}

const percentText = (value, decimals = 2, sign = true) => (value === null || value === undefined ? "–" : `${formatNumber(value, decimals, { sign })}\u00a0%`);

/** `n`, as small print. */
const countText = ({ n }, noun) => (n ? formatCount(n, noun) : "");

const estimateColumn = (key, name, { about, decimals = 2, unit = "%", sign = true, noun = "day", zero = 0, bounds = null, isTinted = false, ...rest }) => ({
  key, name, about, kind: "estimate", bounds, zero, ...rest,
  sortValue: (row) => row.figures[key]?.value ?? null,
  estimate: (row) => row.figures[key],
  text: (row) => (unit === "%" ? percentText(row.figures[key].value, decimals, sign) : formatNumber(row.figures[key].value, decimals, { sign })),
  spoken: (row) => {
    const { low, high } = row.figures[key];
    const interval = excludes(row.figures[key]) === null ? "" : `, 95\u00a0% between ${formatNumber(low, decimals, { sign })} and ${formatNumber(high, decimals, { sign })}`;
    return [interval, countText(row.figures[key], noun)].filter(Boolean).join(", ");
  },
  tone: isTinted ? (row) => (excludes(row.figures[key]) ? toneOf(fromNumber(row.figures[key].value)) : null) : undefined,
});

const numberColumn = (key, name, { about, decimals = 2, unit = "", sign = false, ...rest }) => ({
  key, name, about, kind: "number", isOptional: true,
  sortValue: (row) => row.figures[key]?.value ?? null,
  reason: (row) => row.figures[key]?.reason,
  text: (row) => (unit === "%" ? percentText(row.figures[key]?.value, decimals, sign) : formatNumber(row.figures[key]?.value, decimals, { sign })),
  small: (row) => (row.figures[key]?.value === null ? "" : countText(row.figures[key] ?? {}, "day")),
  ...rest,
});

const moneyColumn = (key, name, { about, sign = true, isTinted = false, ...rest } = {}) => ({
  key, name, about, kind: "number", ...rest,
  sortValue: (row) => parseDecimal(row.figures[key]?.amount) ?? null,
  reason: (row) => row.figures[key]?.reason,
  text: (row) => formatFitting(parseDecimal(row.figures[key]?.amount), MAX_MONEY_CHARS, { sign }),
  full: (row) => formatDecimal(parseDecimal(row.figures[key]?.amount), 2, { sign }),
  // Money of a return that may be chance is no win and no loss.
  tone: isTinted ? (row) => (excludes(row.figures.return_pct) ? toneOf(parseDecimal(row.figures[key]?.amount)) : null) : undefined,
});

const plainColumn = (key, name, about, text, sortValue = (row) => row.figures[key] ?? null, reason = () => null) => ({ key, name, about, kind: "number", isOptional: true, text, sortValue, reason });

export const COMPARE_COLUMNS = [
  estimateColumn("return_pct", "Return", { about: "Time-weighted, without deposits; with its 95 % interval", isTinted: true }),
  moneyColumn("pl", "P/L $", { about: "Equity at the end less at the start, without deposits", isTinted: true }),
  {
    key: "max_drawdown", name: "Max drawdown", kind: "number", about: "From the highest close so far",
    sortValue: (row) => row.figures.max_drawdown?.depth_pct ?? null,
    reason: (row) => row.figures.max_drawdown?.reason,
    text: (row) => percentText(row.figures.max_drawdown?.depth_pct, 2, false),
    small: ({ figures: { max_drawdown: fall } }) => (fall?.depth_pct ? `${fall.trading_days}\u00a0d, ${fall.recovered ? "recovered" : "open"}` : ""),
  },
  { key: "round_trips", name: "Closed", kind: "number", about: "Closed round trips, from flat to flat", sortValue: (row) => row.figures.round_trips ?? null, text: (row) => row.figures.round_trips?.toLocaleString("en") ?? "–", reason: () => null },
  estimateColumn("win_rate_pct", "Win rate", { about: "Of closed round trips, with Wilson's 95 % interval", decimals: 0, sign: false, noun: "trade", bounds: [0, 100], zero: 50 }),
  numberColumn("exposure_gross_pct", "Exposure", { about: "Long and short over equity, averaged over the minutes", decimals: 0, unit: "%", isOptional: false, small: () => "" }),
  { key: "trading_days", name: "Days", kind: "number", about: "Trading days with data", sortValue: (row) => row.trading_days, text: (row) => String(row.trading_days), reason: () => null },
  moneyColumn("realized_pl", "Realised", { isOptional: true }),
  moneyColumn("unrealized_pl", "Unrealised", { isOptional: true }),
  moneyColumn("fees", "Fees", { isOptional: true }),
  moneyColumn("net_flows", "Flows", { isOptional: true, about: "Deposits less withdrawals in the window" }),
  numberColumn("profit_factor", "Profit factor", { about: "Gross win over gross loss" }),
  moneyColumn("expectancy", "Average trade", { isOptional: true }),
  estimateColumn("sharpe_annual", "Sharpe", { about: "By the year; from 60 days on", unit: "", isOptional: true, sign: true }),
  numberColumn("turnover_daily_pct", "Turnover / day", { about: "Value of fills over average equity", unit: "%" }),
  numberColumn("utilization_initial_pct", "Used of balance", { about: "Capital deployed over the initial balance", unit: "%" }),
  numberColumn("utilization_equity_pct", "Used of equity", { about: "Capital deployed over equity", unit: "%" }),
  plainColumn("contracts", "Contracts", "Smallest, average and largest of an order", ({ figures: { contracts } }) => (contracts?.average ? [contracts.smallest, contracts.average, contracts.largest].join(" / ") : "–"), (row) => Number(row.figures.contracts?.average ?? NaN) || null),
  numberColumn("risk_of_initial_pct", "Risk of balance", { about: "Value of an order over the initial balance, on average", unit: "%" }),
  numberColumn("trades_daily", "Trades / day", { about: "Round trips by the trading day" }),
  plainColumn("rejected_24h", "Rejected 24 h", "Orders that the broker rejected in 24 hours", (row) => row.figures.rejected_24h?.toLocaleString("en") ?? "–"),
  plainColumn("errors_24h", "Disconnects 24 h", "How often the link was lost in 24 hours", (row) => row.figures.errors_24h?.toLocaleString("en") ?? "–"),
];

/** Fill a cell; `scales` has the scale of each column of intervals. */
export function fillCell(cell, column, row, scales) {
  const reason = column.reason?.(row) ?? column.estimate?.(row)?.reason ?? null;
  const figure = createElement("span", { class: "figure", "data-tone": column.tone?.(row) ?? null }, column.text(row));
  const isUnknown = column.text(row) === "–";
  setAttribute(cell, "title", isUnknown ? reason : (column.full?.(row) ?? null));
  if (column.kind !== "estimate") {
    const small = isUnknown ? "" : (column.small?.(row) ?? "");
    cell.replaceChildren(figure, ...(small ? [createElement("small", { text: small })] : []), ...(isUnknown && reason ? [createElement("span", { class: "unseen", text: reason })] : []));
    return;
  }
  const estimate = column.estimate(row);
  if (isUnknown || !estimate) return void cell.replaceChildren(figure, createElement("small", { text: row.kind === "control" ? "" : (reason ?? "") }));
  const spoken = column.spoken(row);
  setAttribute(cell, "title", `${column.text(row)}${spoken}`);
  cell.replaceChildren(figure, createElement("span", { class: "unseen", text: spoken }), drawInterval(estimate, scales.get(column.key), { zero: column.zero }),
    createElement("small", { "aria-hidden": "true", text: column.key === "win_rate_pct" ? `n ${estimate.n}` : "" }));
}

/** The scale of every column of intervals, over the rows that are compared. */
export function makeScales(rows) {
  const columns = COMPARE_COLUMNS.filter(({ kind }) => kind === "estimate");
  const compared = rows.filter(({ ranked }) => ranked);
  return new Map(columns.map((column) => [column.key, intervalScale((compared.length ? compared : rows).map(column.estimate).filter(Boolean), column.bounds)]));
}

export function setHead(head, { key, name }, sort) {
  setText(head.firstChild, name);
  setAttribute(head, "aria-sort", sort.column === key ? (sort.descending ? "descending" : "ascending") : "none");
}
