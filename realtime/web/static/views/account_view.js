// One account: money with its curve, link, fills, positions, orders.

import { RANGES, formatAccountAddress, formatMoment } from "../address.js";
import { createElement, setAttribute, setText } from "../components/dom.js";
import { EquityCurve, fetchRecorded } from "../components/equity_curve.js";
import { FillList } from "../components/fill_list.js";
import { createMoneyBadge } from "../components/money_badge.js";
import { parseDecimal, toNumber } from "../format/decimal.js";
import { currentLinkStatus, isConnected } from "../format/link_status.js";
import { formatShort, formatTime, now, waitForClock } from "../format/time_format.js";
import { AccountState } from "../state/account_state.js";
import { EventStream } from "../state/event_stream.js";
import { fetchCurve } from "../state/history_reader.js";
import { MarksReader } from "../state/marks_reader.js";
import { PastReader } from "../state/past_reader.js";
import { readAccount } from "../state/past_states.js";
import { AccountMoney } from "./account_money.js";
import { AccountTables } from "./account_tables.js";
import { BooksCard } from "./books_card.js";
import { LinkHistory } from "./link_history.js";

const LEGS_DELAY_MS = 1000;

export class AccountView {
  name = "account";

  /** `onAddress()` is called when the reader chooses another range of the curve. */
  constructor(fleet, { label, range, book, asOf }, { alerts, onStreamChange, onAddress, onChange }) {
    this.fleet = fleet;
    this.alerts = alerts;
    this.label = label;
    this.range = range; // as chosen
    this.curveRange = range; // of what is drawn
    this.book = book;
    this.books = new BooksCard(label, { book, onChoose: (name) => { this.book = name; onAddress(); } });
    this.onStreamChange = onStreamChange;
    this.onAddress = onAddress;
    this.past = new PastReader({ read: (at, signal) => readAccount(label, at, signal), onChange });
    this.account = new AccountState(label);
    this.account.fills = fleet.fills.filter(({ account_id: owner }) => owner === label);
    this.curve = new EquityCurve({ load: () => this.#loadCurve(), label: `Equity of ${label} over time` });
    this.element = this.#build();
    this.setMoment(asOf);
    const params = () => ({ types: "order,account,positions,link,mark", account_id: label });
    this.marks = new MarksReader(`/${encodeURIComponent(label)}`, () => {
      this.account.markedPositions = this.marks.document?.positions ?? null;
      onChange();
    });
    this.stream = new EventStream({ params, onEvent: (name, data) => this.#handleEvent(name, data), onStateChange: onStreamChange });
    this.#fetch();
  }

  get title() {
    return `${this.asOf === null ? "" : `${formatShort(this.asOf)} · `}${this.label} · realtime`;
  }

  get address() {
    return formatAccountAddress(this.label, this);
  }

  /** The moment that is shown, in milliseconds; null is now. */
  get asOf() {
    return this.past.asOf;
  }

  /** What is known of the past that is shown, for the bar above it. */
  get pastState() {
    const { value, error, isReading } = this.past;
    return { label: this.label, isFleet: false, valuedAt: value?.valuedAt, note: value?.historyNote, error, isReading };
  }

  /** Another moment, or another range of the curve. */
  setMoment(asOf) {
    this.past.set(asOf);
    this.curve.setMoment(asOf === null ? null : asOf / 1000);
    this.#fitCurve();
  }

  setAddress({ range, book, asOf }) {
    this.setMoment(asOf);
    this.book = book;
    this.books.choose(book);
    if (range !== this.range) this.#setRange(range);
  }

  get crumbs() {
    return [this.label];
  }

  get moneyKinds() {
    const isPaper = this.#isPaper;
    return isPaper === undefined ? [] : [[isPaper, null]];
  }

  get #isPaper() {
    return this.fleet.entries.get(this.label)?.row?.paper ?? this.account.link?.paper;
  }

  get linkEntries() {
    const { link } = this.account;
    return link && this.asOf === null ? [{ label: this.label, link }] : [];
  }

  get curl() {
    return `realtime/dashboard/${this.label}${this.asOf === null ? "" : `?as_of=${formatMoment(this.asOf)}`}`;
  }

  end() {
    this.past.set(null);
    this.books.end();
    this.marks.end();
    this.stream?.end();
    this.curve.end();
    clearTimeout(this.legsTimer);
  }

  redraw() {
    this.curve.redraw();
  }

  focus() {
    this.heading.focus({ preventScroll: true });
  }

  /** The account as it is shown: now, or as it was. */
  get #shown() {
    return this.asOf === null ? this.account : (this.past.value ?? this.unread);
  }

  render() {
    const account = this.#shown;
    const hasProblem = this.account.problem !== null;
    setAttribute(this.body, "hidden", hasProblem);
    setAttribute(this.missing, "hidden", !hasProblem);
    if (hasProblem) return this.#showProblem();
    this.#showHead();
    this.#showMoney(account);
    setAttribute(this.books.element, "data-past", this.asOf === null ? null : "yes");
    this.tables.show(account, this.#unknownReason(), this.asOf === null ? this.books : null, this.asOf === null ? this.alerts.of(this.label) : []);
    this.history.show(account.link, this.asOf === null ? this.fleet.linkEvents.get(this.label) ?? [] : []);
    this.curve.outages = this.#outages();
    this.fills.show(this.#shownFills(account), account.orders ? "No fills." : this.#unknownReason());
    setAttribute(this.body, "aria-busy", this.past.isReading ? "true" : null);
    for (const [range, chip] of this.ranges) setAttribute(chip, "aria-pressed", String(range === this.curveRange));
  }

  #shownFills(account) {
    const fills = account.allFills();
    return this.asOf !== null || !account.orders ? fills : fills.filter(({ order }) => this.books.hasOrder(order, account.orders, account.parents));
  }

  async #loadCurve() {
    if (this.curveRange === "day") return fetchRecorded(`realtime/history/${encodeURIComponent(this.label)}`);
    await waitForClock();
    const { points, gaps, outages } = await fetchCurve(this.label, this.curveRange, now() / 1000);
    this.recordedOutages = outages;
    return { points: points.map(({ at, equity, is_stale: isStale }) => [at, isStale ? null : Number(equity)]), gaps };
  }

  #setRange(range) {
    this.range = range;
    this.#fitCurve();
    this.onAddress();
  }

  /** The curve reaches back to the moment that is shown, if need be beyond the chosen range. */
  #fitCurve() {
    const first = this.curve.firstTime;
    const isOutside = this.asOf !== null && first !== null && this.asOf / 1000 < first;
    const range = isOutside || (this.curveRange === "all" && this.asOf !== null) ? "all" : this.range;
    if (range === this.curveRange) return;
    this.curveRange = range;
    this.curve.setSource(() => this.#loadCurve());
  }

  #handleEvent(name, data) {
    this.account.handleEvent(name, data);
    if (name === "ready") this.#fetch();
    if (name === "mark") this.#showMarkedPoint();
    if (name === "account" && data.account) this.#addPoint(data.account.equity, data.stale);
    if (name === "link" && data.stale) this.curve.add(Math.floor(now() / 1000), null);
    if (this.account.isLegUnknown && !this.legsTimer) {
      this.legsTimer = setTimeout(() => { this.legsTimer = 0; this.#fetchLegs(); }, LEGS_DELAY_MS);
    }
  }

  /** A thin line from the broker's last point to the mark. */
  #showMarkedPoint() {
    const value = parseDecimal(this.account.mark?.equity);
    this.curve.setAhead(value === null ? null : [Math.floor(now() / 1000), toNumber(value)]);
  }

  #addPoint(equity, isStale) {
    const value = parseDecimal(equity);
    this.curve.add(Math.floor(now() / 1000), isStale || value === null ? null : toNumber(value));
  }

  async #fetch() {
    try {
      await Promise.all([this.account.fetchDashboard(), this.account.fetchLegs()]);
    } catch {
      return; // No connection: repeated when the stream is ready again.
    }
    if (this.account.problem) this.#endStream();
    else if (this.account.account) this.#addPoint(this.account.account.equity, this.account.version.stale);
    this.render();
  }

  async #fetchLegs() {
    try {
      await this.account.fetchLegs();
      this.render();
    } catch {
      // Done again with the next `ready`.
    }
  }

  /** There is nothing to follow here, and that is no problem of the connection. */
  #endStream() {
    this.stream?.end();
    this.stream = null;
    this.onStreamChange();
  }

  #build() {
    this.heading = createElement("h1", { text: this.label, tabindex: "-1" });
    this.badge = createMoneyBadge();
    this.about = createElement("p", { class: "about" });
    this.state = createElement("span", { class: "state" }, createElement("i", { class: "lamp", "aria-hidden": "true" }), createElement("span"), createElement("span", { class: "sub" }));
    this.money = new AccountMoney();
    this.tables = new AccountTables();
    this.fills = new FillList({ label: "Fills", withAccount: false });
    this.history = new LinkHistory();
    this.missing = createElement("section", { class: "card missing", hidden: true });
    this.unread = new AccountState(this.label);
    this.ranges = new Map(Object.entries(RANGES).map(([range, text]) =>
      [range, createElement("button", { type: "button", class: "chip", text, on: { click: () => { if (range !== this.range) this.#setRange(range); } } })]));
    this.body = createElement(
      "div", { class: "account-body" },
      createElement("section", { class: "card chart", "aria-label": "Money" },
        createElement("div", { class: "headlines" }, ...this.money.headlines,
          createElement("div", { class: "chips ranges", role: "group", "aria-label": "Range of the curve" }, ...this.ranges.values())),
        createElement("div", { class: "curve-box" }, this.curve.element),
        this.money.stats),
      createElement("div", { class: "aside" },
        createElement("section", { class: "card", "aria-labelledby": "link-title" },
          createElement("h2", { id: "link-title", text: "Link" }), this.history.element),
        createElement("section", { class: "card fills", "aria-labelledby": "fills-title" },
          createElement("h2", { id: "fills-title", text: "Fills" }), this.fills.element)),
      this.books.element, ...this.tables.elements,
    );
    return createElement("div", { class: "account-view" },
      createElement("div", { class: "title" }, this.badge.element, this.heading, this.about, this.state), this.missing, this.body);
  }

  #showProblem() {
    const { title, detail, remedy } = this.account.problem;
    this.missing.replaceChildren(
      createElement("h2", { text: title ?? "This account cannot be shown" }),
      createElement("p", { text: [detail, remedy].filter(Boolean).join(" – ") }),
      createElement("a", { class: "plain", href: "#/", text: "All accounts" }),
    );
    setAttribute(this.state, "hidden", true);
  }

  #showHead() {
    const { row } = this.fleet.entries.get(this.label) ?? {};
    const { account, link, version } = this.#shown;
    const parts = [row?.name !== this.label ? row?.name : null, row?.tier ?? link?.tier, account?.account_number, link?.owner && `owner ${link.owner}`];
    this.badge.show(this.#isPaper === false ? false : undefined);
    setText(this.about, parts.filter(Boolean).join(" · "));
    const { word, tone, detail } = currentLinkStatus(link);
    setAttribute(this.state, "data-tone", tone);
    setText(this.state.children[1], word);
    setText(this.state.children[2], detail || (link && isConnected() ? `since ${formatTime(link.since)}` : ""));
    setAttribute(this.element, "data-stale", version?.stale ? "yes" : null);
  }

  #showMoney(account) {
    const reason = this.#unknownReason();
    if (this.asOf !== null) this.money.showPast(account, reason);
    else this.money.show(account, this.fleet.entries.get(this.label), reason);
  }

  /** Times without events; the link's present one lasts until further notice. */
  #outages() {
    const { gaps, link } = this.account;
    if (this.curveRange !== "day") return this.recordedOutages ?? [];
    const spans = gaps.filter(({ from }) => from).map(({ from, to }) => [Date.parse(from) / 1000, to ? Date.parse(to) / 1000 : null]);
    const isOpen = link?.stale && link.stale_since && !spans.some(([, to]) => to === null);
    return isOpen ? [...spans, [Date.parse(link.stale_since) / 1000, null]] : spans;
  }

  #unknownReason() {
    const { error, isReading } = this.past;
    if (this.asOf !== null) return error ? "Not recorded." : isReading ? "Reading …" : "Not known at that time.";
    const { link } = this.account;
    if (!link) return isConnected() ? "Reading …" : "Not known: no connection to the daemon.";
    if (link.state === "disabled") return "Disabled in accounts.toml (enabled = false): this account is not read.";
    return link.last_error_message ? `Not known yet: ${link.last_error_message}.` : "Not known yet: nothing was read so far.";
  }
}
