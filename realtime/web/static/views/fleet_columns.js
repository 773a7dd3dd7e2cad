// The columns of the table of all accounts.

import { formatAccountAddress } from "../address.js";
import { createElement, setAttribute, setShortText, setText } from "../components/dom.js";
import { createMoneyBadge } from "../components/money_badge.js";
import { formatCompact, formatDecimal, percent, toneOf } from "../format/decimal.js";
import { shortenLabel } from "../format/instrument_format.js";
import { STATES, currentLinkStatus, isConnected } from "../format/link_status.js";
import { formatAge, formatCount } from "../format/time_format.js";

const AGE_CHARS = 6;
const STATE_CHARS = 22; // with a countdown
const MIN_CHARS = 4;

/**
 * `rank`: 0 is always shown, the highest leaves first where room is short. `isOptional`: only shown
 * if chosen. `isMark`: only with market data. `sortValue(entry)`: null is unknown and comes last. `chars(entries)`: of the longest value.
 */
const moneyColumn = (key, name, rank, { isResult = false, ...rest } = {}) => ({
  key, name, rank, kind: "number", isMoney: true,
  show: ({ money }, { isCompact }) => (isCompact ? formatCompact : formatFull)(money[key], { sign: isResult }),
  full: ({ money }) => formatFull(money[key], { sign: isResult }),
  worth: ({ money }) => money[key],
  at: ({ confirmedAt }) => confirmedAt,
  sortValue: ({ money }) => money[key],
  chars: (entries) => longestMoney(entries, key) + (isResult ? 1 : 0),
  ...rest,
});

const countColumn = (key, name, rank, about) => ({
  key, name, rank, about, kind: "number",
  show: ({ row }) => row?.[key]?.toLocaleString("en") ?? "–",
  worth: ({ row }) => row?.[key] ?? null,
  sortValue: ({ row }) => row?.[key] ?? null,
  chars: (entries) => Math.max(MIN_CHARS, ...entries.map(({ row }) => (row?.[key] ?? 0).toLocaleString("en").length)),
});

export const FLEET_COLUMNS = [
  { key: "account_id", name: "Account", rank: 0, kind: "head", fill: fillName, sortValue: ({ label }) => label.toLowerCase(), chars: () => 24 },
  { key: "state", name: "Link", rank: 0, fill: fillState, sortValue: ({ link }) => Object.keys(STATES).indexOf(link?.state), chars: () => STATE_CHARS },
  moneyColumn("equity", "Equity", 0),
  moneyColumn("equity_mark", "Marked", 9, { isOptional: true, isMark: true, at: undefined, about: "Equity at the market's prices; the broker's own is Equity" }),
  moneyColumn("day_pl", "Day P/L", 0, { isResult: true, tone: ({ money }) => toneOf(money.day_pl), about: "Equity now less equity at the last close, without today's deposits and withdrawals" }),
  {
    key: "day_part", name: "Day %", rank: 1, kind: "number",
    show: (entry) => formatDecimal(dayPercent(entry), 2, { sign: true }),
    tone: (entry) => toneOf(dayPercent(entry)),
    sortValue: dayPercent, chars: (entries) => Math.max(6, ...entries.map((entry) => formatDecimal(dayPercent(entry), 2, { sign: true }).length)),
  },
  moneyColumn("flows_today", "Flows", 5, { isOptional: true, isResult: true, about: "Deposits less withdrawals of today" }),
  moneyColumn("total_pl", "Total P/L", 8, { isOptional: true, isResult: true, tone: ({ money }) => toneOf(money.total_pl), about: "Equity less initial balance, deposits and withdrawals" }),
  moneyColumn("cash", "Cash", 4),
  moneyColumn("buying_power", "Buying power", 6),
  countColumn("positions", "Positions", 3),
  countColumn("open_orders", "Orders", 2, "Open orders"),
  { key: "confirmed", name: "Confirmed", rank: 3, kind: "number", about: "Time since the broker last confirmed the money", show: ({ confirmedAt }) => formatAge(confirmedAt), sortValue: ({ confirmedAt }) => (confirmedAt ? -Date.parse(confirmedAt) : null), chars: () => AGE_CHARS },
  { key: "as_of", name: "Changed", rank: 7, isOptional: true, kind: "number", about: "Time since anything changed", show: ({ row }) => formatAge(row?.as_of), sortValue: ({ row }) => (row?.as_of ? -Date.parse(row.as_of) : null), chars: () => AGE_CHARS },
];

export function dayPercent({ money }) {
  return percent(money.day_pl, money.last_equity);
}

function formatFull(value, options) {
  return formatDecimal(value, 2, options);
}

function longestMoney(entries, key) {
  let [low, high] = [0n, 0n];
  for (const { money } of entries) {
    const value = money[key] ?? 0n;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return Math.max(MIN_CHARS, formatFull(low).length, formatFull(high).length);
}

function fillName(cell, entry, { labelChars = 24, asOf = null }) {
  const { label, row } = entry;
  if (!cell.firstChild) {
    cell.badge = createMoneyBadge();
    cell.append(cell.badge.element, createElement("a", {}), createElement("span", { class: "sub" }));
  }
  const [, link, sub] = cell.children;
  setAttribute(cell.parentElement ?? cell, "data-group", entry.group === undefined ? null : "yes");
  setAttribute(link, "role", entry.group === undefined ? null : "button");
  setAttribute(link, "aria-expanded", entry.group === undefined ? null : String(!entry.isFolded));
  if (entry.group !== undefined) return fillGroupName(cell, entry);
  const isReal = row?.paper === false;
  cell.badge.show(isReal ? false : undefined);
  setAttribute(link, "href", formatAccountAddress(label, { asOf }));
  const chars = isReal ? Math.max(6, labelChars - 11) : labelChars;
  const changed = setShortText(link, shortenLabel(label, chars), label);
  const about = [row?.name && normalize(row.name) !== normalize(label) ? row.name : null, row?.tier].filter(Boolean).join(" · ");
  setText(sub, about.length + Math.min(label.length, chars) < chars ? about : row?.tier && row.tier.length + Math.min(label.length, chars) < chars ? row.tier : "");
  return changed;
}

function fillGroupName(cell, { tier, count, row, isFolded, href }) {
  const [, link, sub] = cell.children;
  cell.badge.show(row.paper === false ? false : undefined);
  setAttribute(link, "href", href);
  setText(sub, formatCount(count, "account"));
  return setShortText(link, `${isFolded ? "▸" : "▾"} ${shortenLabel(tier)}`, tier);
}

function normalize(name) {
  return name.toLowerCase().replace(/[\s_-]/g, "");
}

function fillState(cell, { link, group, synced, enabled }) {
  if (!cell.firstChild) {
    cell.append(createElement("span", { class: "state" }, createElement("i", { class: "lamp", "aria-hidden": "true" }), createElement("span"), createElement("span", { class: "sub" })));
  }
  const state = cell.firstChild;
  if (group !== undefined) {
    const isKnown = isConnected();
    setAttribute(state, "data-tone", isKnown && synced < enabled ? "warn" : "good");
    setAttribute(cell.parentElement ?? cell, "data-stale", null);
    setText(state.children[2], "");
    return setText(state.children[1], !isKnown ? "Unknown" : synced === enabled ? `${synced} synced` : `${synced} of ${enabled} synced`);
  }
  const { word, tone, detail } = currentLinkStatus(link);
  setAttribute(state, "data-tone", tone);
  setAttribute(state, "title", detail || null);
  setAttribute(cell.parentElement ?? cell, "data-stale", link?.stale && link.state !== "disabled" ? "yes" : null);
  setText(state.children[2], link?.state === "waiting" ? detail : "");
  return setText(state.children[1], word);
}
