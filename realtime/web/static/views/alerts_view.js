// Bounds of tiers: which are exceeded, which would be, and which no order can meet.

import { formatAccountAddress, formatAddress } from "../address.js";
import { createBoundBar, fillBoundBar } from "../components/bound_bar.js";
import { createElement, setAttribute, setChildren, setText } from "../components/dom.js";
import { loadSheet } from "../components/style_sheet.js";
import { Table } from "../components/table.js";
import { formatTrimmed, parseDecimal } from "../format/decimal.js";
import { formatSymbol, shortenLabel } from "../format/instrument_format.js";
import { formatAge, formatTime } from "../format/time_format.js";

const LISTS = { over: "Over", would_be: "Would be over", cannot_be_met: "Cannot be met", hidden: "Hidden", ended_today: "Ended today" };
const OPEN = ["over", "would_be", "cannot_be_met"];
const RULES = {
  position_risk: "risk of one position", order_risk: "risk of one order",
  position_contracts: "contracts of one position", order_contracts: "contracts of one order",
};
const STATES = { over: ["over", "warn"], would_be: ["would be over", "warn"], cannot_be_met: ["cannot be met", "calm"], ended: ["ended", "calm"] };
const ONE = 10n ** 18n;
const MAX_NAME_CHARS = 24;
const MAX_SHOWN = 300;

export class AlertsView {
  name = "alerts";
  title = "Alerts · realtime";
  crumbs = [];
  linkEntries = [];
  curl = "alerts";

  static async open(address, hooks) {
    await loadSheet("../css/compare.css", import.meta.url);
    return new AlertsView(address, hooks);
  }

  constructor({ params }, { fleet, alerts, onAddress }) {
    this.fleet = fleet;
    this.alerts = alerts;
    this.onAddress = onAddress;
    this.list = toList(params);
    this.element = this.#build();
  }

  get address() {
    return formatAddress("#/alerts", new URLSearchParams(this.list ? { list: this.list } : {}));
  }

  get moneyKinds() {
    return this.fleet.totals().map(({ isPaper, enabled }) => [isPaper, enabled]);
  }

  end() {}

  redraw() {}

  focus() {
    this.heading.focus({ preventScroll: true });
  }

  setAddress({ params }) {
    this.list = toList(params);
  }

  render() {
    const found = this.alerts.document;
    for (const [list, { chip, count }] of this.chips) {
      setAttribute(chip, "aria-pressed", String(list === this.list));
      setText(count, !found ? "–" : (list ? found[list] : OPEN.flatMap((each) => found[each])).length.toLocaleString("en"));
    }
    const rows = !found ? [] : this.list ? sortAlerts(found[this.list]) : OPEN.flatMap((list) => sortAlerts(found[list]));
    this.table.show(rows.slice(0, MAX_SHOWN).map((alert) => ({ ...alert, shownState: alert.ended_at ? "ended" : alert.state })), ({ account_id, rule, symbol, order_id, since, state }) => [account_id, rule, symbol, order_id, since, state].join());
    setAttribute(this.table.element.parentElement, "hidden", rows.length === 0);
    setAttribute(this.empty, "hidden", rows.length > 0);
    setText(this.empty, this.#emptyText(found));
    setText(this.more, rows.length > MAX_SHOWN ? `and ${(rows.length - MAX_SHOWN).toLocaleString("en")} more: GET /alerts has all of them` : "");
  }

  #emptyText(found) {
    if (!found) return this.alerts.isEnded ? "This token may not see alerts." : "Reading …";
    if (!found.watched) return "No tier has bounds: add [tiers.NAME] with risk_pct or max_contracts to accounts.toml.";
    return { ended_today: "No alert has ended today.", hidden: "No alert is hidden." }[this.list] ?? "No bound is exceeded.";
  }

  #build() {
    this.heading = createElement("h1", { text: "Alerts", tabindex: "-1" });
    this.chips = new Map([["", "Open"], ...Object.entries(LISTS)].map(([list, text]) => {
      const count = createElement("b");
      return [list, { count, chip: createElement("button", { type: "button", class: "chip", on: { click: () => this.#choose(list) } }, createElement("span", { text }), count) }];
    }));
    this.table = new Table([...COLUMNS, { key: "hide", name: "Hide", fill: (cell, alert) => this.#fillHide(cell, alert) }], { label: "Alerts" });
    this.table.element.classList.add("alerts");
    this.empty = createElement("p", { class: "empty" });
    this.more = createElement("p", { class: "more-notices" });
    this.message = createElement("p", { class: "unseen", role: "status" });
    return createElement("div", { class: "compare-view" },
      createElement("div", { class: "compare-head" }, this.heading, createElement("div", { class: "chips segments wrapping", role: "group", "aria-label": "Which alerts" }, ...[...this.chips.values()].map(({ chip }) => chip))),
      createElement("p", { class: "compare-about", text: "Bounds of tiers are watched, not enforced: nothing is stopped. The risk checks of orders enforce." }),
      createElement("section", { class: "card", "aria-label": "Alerts" },
        createElement("div", { class: "scroller", tabindex: "0", role: "group", "aria-label": "Alerts" }, this.table.element), this.empty, this.more), this.message);
  }

  /** Buttons that hide an alert for an hour or for today, or show it again. */
  #fillHide(cell, alert) {
    cell.alert = alert;
    const state = alert.ended_at ? "" : alert.hidden_until ? "hidden" : "open";
    if (cell.dataset.state === state) return false;
    cell.dataset.state = state;
    const choices = { open: { hour: "1 h", today: "Today" }, hidden: { no: "Show" } }[state] ?? {};
    setChildren(cell, Object.entries(choices).map(([hide, text]) => createElement("button", {
      type: "button", class: "chip", text, "aria-label": `${text}: ${state === "open" ? "hide" : "list again"} ${alert.account_id}, ${RULES[alert.rule] ?? alert.rule}`,
      on: { click: () => this.#hide(cell.alert, hide) },
    })));
    return false;
  }

  async #hide(alert, hide) {
    const error = await this.alerts.hide(alert, hide);
    setText(this.message, error ?? (hide === "no" ? "Shown again." : "Hidden. It stays counted."));
    if (error) setText(this.more, error);
    this.heading.focus({ preventScroll: true });
  }

  #choose(list) {
    this.list = list;
    this.onAddress();
  }
}

/** The share of the bound, largest first; unknown last. */
function sortAlerts(alerts) {
  const share = ({ value, bound }) => {
    const [now, limit] = [parseDecimal(value), parseDecimal(bound)];
    return now === null || !limit ? -1n : (now * ONE) / limit;
  };
  return [...alerts].sort((a, b) => (share(a) < share(b) ? 1 : share(a) > share(b) ? -1 : a.account_id < b.account_id ? -1 : 1));
}

const isShare = ({ rule }) => rule.endsWith("_risk");

function amount(text, alert) {
  const value = parseDecimal(text);
  return value === null ? "–" : `${formatTrimmed(value, 0, isShare(alert) ? 1 : 0)}${isShare(alert) ? "\u00a0%" : ""}`;
}

const COLUMNS = [
  { key: "account", name: "Account", kind: "head", fill: fillName },
  { key: "alert-state", name: "State", fill: fillState },
  { key: "tier", name: "Tier", show: ({ tier }) => tier ?? "–" },
  { key: "rule", name: "Rule", show: ({ rule }) => RULES[rule] ?? rule.replaceAll("_", " ") },
  { key: "what", name: "Symbol", show: ({ symbol }) => formatSymbol(symbol) },
  { key: "now", name: "Now", kind: "number", show: (alert) => amount(alert.value, alert) },
  { key: "bound", name: "Bound", kind: "number", show: (alert) => amount(alert.bound, alert) },
  { key: "share", name: "Of the bound", fill: fillShare },
  { key: "since", name: "Since", kind: "number", show: ({ since, ended_at: end }) => (end ? `${formatTime(since)} – ${formatTime(end)}` : formatAge(since)) },
  { key: "against", name: "Measured against", show: againstText },
];

function againstText(alert) {
  if (alert.hidden_until && !alert.ended_at) return `hidden by ${alert.hidden_by} until ${formatTime(alert.hidden_until)}`;
  if (alert.detail) return alert.detail;
  if (alert.state === "would_be") return "if the open order fills";
  if (!isShare(alert)) return alert.worst && alert.ended_at ? `at most ${amount(alert.worst, alert)}` : "";
  const equity = alert.of_equity_pct ? ` (${amount(alert.of_equity_pct, alert)} of equity)` : "";
  return `initial balance${equity}`;
}

function fillName(cell, { account_id: label }) {
  cell.firstChild ?? cell.append(createElement("a"));
  setAttribute(cell.firstChild, "href", formatAccountAddress(label));
  setAttribute(cell.firstChild, "title", label);
  return setText(cell.firstChild, shortenLabel(label, MAX_NAME_CHARS));
}

function fillState(cell, { shownState: state }) {
  const [text, tone] = STATES[state] ?? [state, "calm"];
  cell.firstChild ?? cell.append(createElement("span", { class: "pill" }));
  setAttribute(cell.firstChild, "data-tone", tone);
  return setText(cell.firstChild, text);
}

/** A bar of the value against its bound, which is the mark at two thirds. */
function fillShare(cell, { value, bound }) {
  if (!cell.firstChild) cell.append(...createBoundBar());
  fillBoundBar(cell.children, { value, bound });
  return false;
}

function toList(params) {
  const list = params.get("list") ?? "";
  return Object.hasOwn(LISTS, list) ? list : "";
}
