// The totals of all accounts: one for paper, one for real money, and the curve of one of them.

import { createElement, setAttribute, setChildren, setText } from "../components/dom.js";
import { EquityCurve, fetchRecorded } from "../components/equity_curve.js";
import { Stat } from "../components/stat.js";
import { formatDecimal, formatPercent, percent, toNumber, toneOf } from "../format/decimal.js";
import { isConnected } from "../format/link_status.js";
import { totalMarkText } from "../format/mark_text.js";
import { flowsText } from "../format/money_text.js";
import { formatAgo, formatCount, now } from "../format/time_format.js";

const KINDS = [[false, "Real money"], [true, "Paper"]];

export class FleetTotals {
  constructor() {
    this.isPaper = null; // the kind of money of the curve and the numbers below it
    this.headlines = new Map(KINDS.map(([isPaper]) => [isPaper, new Stat("", { isLarge: true })]));
    this.unknown = new Stat("Total equity", { isLarge: true });
    this.stats = ["Cash", "Buying power", "Positions", "Open orders", "Accounts"].map((name) => new Stat(name));
    this.tabs = new Map(KINDS.map(([isPaper, name]) => [isPaper, this.#createTab(isPaper, name)]));
    this.tabList = createElement("div", { class: "chips kinds", role: "group", "aria-label": "Money of the curve", hidden: true }, ...this.tabs.values());
    this.headline = createElement("div", { class: "headlines" });
    this.curveBox = createElement("div", { class: "curve-box" });
    this.element = createElement("section", { class: "card chart", "aria-label": "Totals" },
      this.headline, this.tabList, this.curveBox, createElement("dl", { class: "stats" }, ...this.stats.map(({ element }) => element)));
  }

  end() {
    this.curve?.end();
  }

  redraw() {
    this.curve?.redraw();
  }

  /** Show the totals of each kind of money, as `FleetState.totals` gives them. */
  show(totals, { isComplete, asOf = null, marks = [] }) {
    const reason = asOf !== null ? "not recorded at that time" : isComplete ? "no account was read yet" : "nothing was received from the daemon yet";
    this.reason = reason;
    this.isPast = asOf !== null;
    this.marks = new Map(marks.map((mark) => [mark.paper, mark]));
    const shown = totals.map((total) => this.#showHeadline(total, totals.length));
    setChildren(this.headline, shown.length ? shown : [this.#showUnknown()]);
    const kind = totals.find(({ isPaper }) => isPaper === this.isPaper) ?? totals[0] ?? null;
    this.isPaper = kind?.isPaper ?? null;
    setAttribute(this.tabList, "hidden", totals.length < 2);
    for (const [isPaper, tab] of this.tabs) setAttribute(tab, "aria-pressed", String(isPaper === this.isPaper));
    this.#showCurve(kind, totals.length > 1, isComplete, asOf);
    this.#showStats(kind);
  }

  #createTab(isPaper, name) {
    return createElement("button", { type: "button", class: "chip", text: name, on: { click: () => { this.isPaper = isPaper; this.onChange?.(); } } });
  }

  #showUnknown() {
    this.unknown.showMoney(null, { note: capitalize(this.reason) + ".", reason: this.reason });
    return createWrapped(this.unknown);
  }

  #showHeadline({ isPaper, equity, dayPl, base, flows, flowsUnknown, enabled, read, stale, confirmedAt }, kinds) {
    const stat = this.headlines.get(isPaper);
    setText(stat.name, `${isPaper ? "Paper" : "Real money"} · ${formatCount(enabled, "account")}`);
    const gain = dayPl === null ? "" : [formatDecimal(dayPl, 2, { sign: true }), formatPercent(percent(dayPl, base)), this.isPast ? "that day" : "today"].filter(Boolean).join("  ");
    const notes = [
      this.isPast ? "to the minute" : totalMarkText(this.marks.get(isPaper), now()),
      dayPl === null ? null : flowsText(flows, flowsUnknown, read, this.isPast),
      read < enabled ? `${read} of ${enabled} read` : null,
      stale ? `${formatCount(stale, "account")} may be behind` : null,
      confirmedAt ? `oldest part confirmed ${formatAgo(confirmedAt)}` : null,
    ];
    stat.showMoney(equity, {
      currency: "$", reason: this.reason, beside: gain, besideTone: toneOf(dayPl),
      note: notes.filter(Boolean).join(" · "), noteTone: stale || read < enabled ? "warn" : null,
    });
    stat.element.dataset.kinds = kinds;
    return createWrapped(stat);
  }

  #showCurve(kind, isMixed, isComplete, asOf) {
    const history = `realtime/history/_all${isMixed && kind ? `?paper=${kind.isPaper}` : ""}`;
    if (!kind && !this.curve) return;
    this.curve?.setMoment(asOf === null ? null : asOf / 1000);
    if (kind && this.history !== history) {
      this.curve?.end();
      this.history = history;
      this.curve = new EquityCurve({ load: () => fetchRecorded(history), label: `Equity over time, ${kind.isPaper ? "paper" : "real money"}` });
      this.curveBox.replaceChildren(this.curve.element);
    }
    if (!kind || asOf !== null) return;
    if (kind.read !== this.known) this.curve.restart();
    this.known = kind.read;
    const isKnown = kind.equity !== null && isComplete && isConnected();
    this.curve.add(Math.floor(now() / 1000), isKnown ? toNumber(kind.equity) : null);
  }

  #showStats(kind) {
    const [cash, power, positions, orders, accounts] = this.stats;
    const { reason } = this;
    const at = kind?.confirmedAt ?? null;
    const age = kind?.read && !this.isPast ? "not confirmed yet" : "";
    cash.showMoney(kind?.cash ?? null, { at, age, reason });
    power.showMoney(kind?.buyingPower ?? null, { at, age, reason });
    positions.showCount(kind?.positions ?? null, { at, age, reason });
    orders.showCount(kind?.openOrders ?? null, { at, age, reason });
    const isKnown = kind !== null && isConnected();
    accounts.showCount(isKnown ? kind.synced : null, {
      beside: kind ? ` / ${kind.enabled.toLocaleString("en")} synced` : "", reason: kind ? "no connection to the daemon" : reason,
      tone: isKnown && kind.synced < kind.enabled ? "warn" : null,
    });
  }
}

function createWrapped(stat) {
  stat.wrapper ??= createElement("dl", { class: "headline" }, stat.element);
  return stat.wrapper;
}

function capitalize(text) {
  return text[0].toUpperCase() + text.slice(1);
}
