// The money of an account: its equity in large figures, and the numbers below the curve.

import { createElement, setAttribute } from "../components/dom.js";
import { Stat } from "../components/stat.js";
import { formatDecimal, formatPercent, parseDecimal, percent, toneOf } from "../format/decimal.js";
import { markNotes } from "../format/mark_text.js";
import { flowsText } from "../format/money_text.js";
import { formatAgo, formatTime, now } from "../format/time_format.js";

const STATS = [
  ["Cash", "cash"],
  ["Buying power", "buying_power"],
  ["Long", "long_market_value"],
  ["Short", "short_market_value"],
  ["Maintenance margin", "maintenance_margin"],
];
const TOTAL_PL_REASON = "the daemon has not sent it yet";
const NOT_RECORDED = "not recorded";

export class AccountMoney {
  constructor() {
    this.equity = new Stat("Equity", { isLarge: true });
    this.totalPl = new Stat("Total P/L");
    this.others = STATS.map(([name]) => new Stat(name));
    this.mark = new Stat("Marked to market");
    this.marked = createElement("dl", { class: "headline marked", hidden: true }, this.mark.element);
    this.headlines = [createElement("dl", { class: "headline" }, this.equity.element), this.marked];
    this.stats = createElement("dl", { class: "stats" }, this.totalPl.element, ...this.others.map(({ element }) => element));
  }

  /** Show the present; `entry` is the account's in the state of all accounts. */
  show(account, entry, reason) {
    const at = account.confirmedAt ?? account.version?.as_of;
    const equity = account.money("equity");
    const last = account.money("last_equity");
    const flows = entry?.money.flows_today ?? null;
    const dayPl = equity === null || last === null ? null : equity - last - (flows ?? 0n);
    const isProvisional = account.version?.provisional.includes("account");
    const source = isProvisional ? "after the last fill: the broker has not confirmed it yet" : `confirmed by the broker ${formatAgo(at)}`;
    const notes = equity === null ? [reason] : [source, dayPl === null ? null : flowsText(flows, flows === null ? 1 : 0, 1)];
    this.equity.showMoney(equity, {
      currency: "$", reason, beside: gainText(dayPl, last, "today"), besideTone: toneOf(dayPl),
      note: notes.filter(Boolean).join(" · "), noteTone: isProvisional || account.version?.stale ? "warn" : null,
    });
    this.#showMark(account, equity);
    const total = entry?.money.total_pl ?? null;
    this.totalPl.showMoney(total, { sign: true, tone: toneOf(total), reason: entry?.row?.total_pl_unknown ?? TOTAL_PL_REASON });
    for (const [index, [, name]] of STATS.entries()) this.others[index].showMoney(account.money(name), { at, reason });
  }

  /** Equity at the market's prices, beside the broker's and never in its place; hidden without market data. */
  #showMark({ mark, markedPositions }, equity) {
    setAttribute(this.marked, "hidden", !mark);
    if (!mark) return;
    const marked = parseDecimal(mark.equity);
    const moved = marked === null || equity === null ? null : marked - equity;
    const notes = markNotes(mark, markedPositions, now());
    this.mark.showMoney(marked, {
      currency: "$", isWhole: true, isQuiet: true, reason: mark.reason ?? "a position has no price",
      beside: moved === null ? "" : `${formatDecimal(moved, 2, { sign: true })} since`, besideTone: toneOf(moved),
      note: notes.map(([text]) => text).join(" · "), noteTone: notes.some(([, tone]) => tone === "warn") ? "warn" : null,
    });
    setAttribute(this.marked, "data-old", mark.prices.old ? "yes" : null);
  }

  /** Show the past: only what was recorded; the rest is unknown, not as it is now. */
  showPast(account, reason) {
    const [equity, last] = [account.money("equity"), account.money("last_equity")];
    const dayPl = equity === null || last === null ? null : equity - last;
    const notes = equity === null ? [reason] : [account.valuedAt ? `to the minute: ${formatTime(account.valuedAt)}` : "exact", dayPl === null ? null : flowsText(null, 1, 1, true)];
    this.equity.showMoney(equity, { currency: "$", reason, beside: gainText(dayPl, last, "that day"), besideTone: toneOf(dayPl), note: notes.filter(Boolean).join(" · ") });
    setAttribute(this.marked, "hidden", true);
    this.totalPl.showMoney(null, { sign: true, reason: NOT_RECORDED });
    for (const [index, [, name]] of STATS.entries()) this.others[index].showMoney(account.money(name), { reason: account.account ? NOT_RECORDED : reason });
  }
}

function gainText(dayPl, last, when) {
  if (dayPl === null) return "";
  return [formatDecimal(dayPl, 2, { sign: true }), formatPercent(percent(dayPl, last)), when].filter(Boolean).join("  ");
}
