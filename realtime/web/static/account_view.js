// One account: figures, curve, positions, orders, and how its link has fared.

import { Account, isFinal } from "./account.js";
import { Curve } from "./curve.js";
import { approximate, exact, spell, spellGain } from "./decimal.js";
import { arrange, make, mark, say } from "./dom.js";
import { Feed } from "./feed.js";
import { Figure, toneOf } from "./figure.js";
import { Grid } from "./grid.js";
import { ORDERS, POSITIONS } from "./account_columns.js";
import { Stream } from "./stream.js";
import { ago, clock, counted, isConnected, now, standing, standingNow } from "./words.js";

const ORDERS_SHOWN = 100;

const FIGURES = [
  ["Cash", "cash"],
  ["Buying power", "buying_power"],
  ["Long", "long_market_value"],
  ["Short", "short_market_value"],
  ["Maintenance margin", "maintenance_margin"],
];

export class AccountView {
  constructor(fleet, label, { turned }) {
    this.fleet = fleet;
    this.label = label;
    this.turned = turned;
    this.account = new Account(label);
    this.account.fills = fleet.fills.filter(({ account_id: of }) => of === label);
    this.onlyOpen = false;
    this.curve = new Curve({ history: `realtime/history/${encodeURIComponent(label)}`, label: `Equity of ${label} over time` });
    this.element = this.#build();
    this.stream = new Stream({
      account: label,
      types: "order,account,positions,link",
      hear: (name, data) => this.#hear(name, data),
      turn: turned,
    });
    this.#read();
  }

  get title() {
    return `${this.label} · realtime`;
  }

  get crumbs() {
    return [this.label];
  }

  get isPaper() {
    return this.fleet.entries.get(this.label)?.row?.paper;
  }

  get notices() {
    const { link } = this.account;
    return link ? [{ label: this.label, link }] : [];
  }

  get curl() {
    return `realtime/dashboard/${this.label}`;
  }

  end() {
    this.stream?.end();
    this.curve.end();
  }

  recolour() {
    this.curve.recolour();
  }

  focus() {
    this.heading.focus({ preventScroll: true });
  }

  render() {
    const { account } = this;
    const isUnknown = account.problem !== null;
    mark(this.body, "hidden", isUnknown);
    mark(this.missing, "hidden", !isUnknown);
    if (isUnknown) return this.#showProblem();
    this.#showHead();
    this.#showFigures();
    this.#showPositions();
    this.#showOrders();
    this.#showPast();
    this.feed.show(this.account.filled());
  }

  #hear(name, data) {
    this.account.hear(name, data);
    if (name === "ready") this.#read();
    if (name === "account" && data.account) {
      this.curve.add(Math.floor(now() / 1000), approximate(exact(data.account.equity)));
    }
  }

  async #read() {
    try {
      await this.account.read();
    } catch {
      return; // The stream tells that there is no connection, and reads anew when there is.
    }
    if (this.account.problem) this.#leave();
    const last = this.account.account;
    if (last) this.curve.add(Math.floor(now() / 1000), approximate(exact(last.equity)));
    this.render();
  }

  /** There is nothing to follow here, and that is no fault of the connection. */
  #leave() {
    this.stream?.end();
    this.stream = null;
    this.turned();
  }

  #build() {
    this.heading = make("h1", { text: this.label, tabindex: "-1" });
    this.about = make("p", { class: "about" });
    this.state = make("span", { class: "state" }, make("i", { class: "lamp", "aria-hidden": "true" }), make("span"), make("span", { class: "sub" }));
    this.equity = new Figure("Equity", { big: true });
    this.figures = FIGURES.map(([name]) => new Figure(name));
    this.positions = new Grid(POSITIONS, { label: "Positions" });
    this.orders = new Grid(ORDERS, { label: "Orders" });
    this.noPositions = make("p", { class: "nothing" });
    this.noOrders = make("p", { class: "nothing" });
    this.positionCount = make("p", { class: "count" });
    this.orderCount = make("p", { class: "count" });
    this.feed = new Feed({ label: "Fills", quiet: "No fills.", withAccount: false });
    this.past = make("ol", { class: "past" });
    this.all = this.#tab("All", false);
    this.open = this.#tab("Open", true);
    this.missing = make("section", { class: "card missing", hidden: true });
    this.body = make(
      "div", { class: "account-body" },
      make("section", { class: "card chart", "aria-label": "Figures" },
        make("dl", { class: "headline" }, this.equity.element), this.curve.element,
        make("dl", { class: "figures" }, ...this.figures.map(({ element }) => element))),
      make("div", { class: "aside" },
        make("section", { class: "card", "aria-labelledby": "past-title" },
          make("h2", { id: "past-title", text: "Link" }), this.past),
        make("section", { class: "card fills", "aria-labelledby": "fills-title" },
          make("h2", { id: "fills-title", text: "Fills" }), this.feed.element)),
      make("section", { class: "card wide", "aria-labelledby": "positions-title" },
        make("div", { class: "bar" }, make("h2", { id: "positions-title", text: "Positions" }), this.positionCount),
        make("div", { class: "scroller", tabindex: "0", role: "group", "aria-labelledby": "positions-title" }, this.positions.element), this.noPositions),
      make("section", { class: "card wide", "aria-labelledby": "orders-title" },
        make("div", { class: "bar" }, make("h2", { id: "orders-title", text: "Orders" }), this.orderCount,
          make("div", { class: "chips", role: "group", "aria-label": "Which orders" }, this.all, this.open)),
        make("div", { class: "scroller", tabindex: "0", role: "group", "aria-labelledby": "orders-title" }, this.orders.element), this.noOrders),
    );
    return make("div", { class: "account-view" },
      make("div", { class: "title" }, this.heading, this.about, this.state), this.missing, this.body);
  }

  #tab(name, onlyOpen) {
    const choose = () => { this.onlyOpen = onlyOpen; this.render(); };
    return make("button", { type: "button", class: "chip", text: name, on: { click: choose } });
  }

  #showProblem() {
    const { title, detail, remedy } = this.account.problem;
    this.missing.replaceChildren(
      make("h2", { text: title ?? "This account cannot be shown" }),
      make("p", { text: [detail, remedy].filter(Boolean).join(" – ") }),
      make("a", { class: "plain", href: "#/", text: "All accounts" }),
    );
    mark(this.state, "hidden", true);
  }

  #showHead() {
    const { row } = this.fleet.entries.get(this.label) ?? {};
    const { account, link } = this.account;
    const parts = [row?.name !== this.label ? row?.name : null, row?.tier ?? link?.tier, account?.account_number];
    say(this.about, parts.filter(Boolean).join(" · "));
    const { word, tone, detail } = standingNow(link);
    mark(this.state, "data-tone", tone);
    say(this.state.children[1], word);
    say(this.state.children[2], detail || (link && isConnected() ? `since ${clock(link.since)}` : ""));
    mark(this.element, "data-stale", this.account.stand?.stale ? "yes" : null);
  }

  #showFigures() {
    const { account } = this;
    const at = account.accountAt ?? account.stand?.as_of;
    const equity = account.money("equity");
    const last = account.money("last_equity");
    const dayPl = equity === null || last === null ? null : equity - last;
    const beside = dayPl === null ? "" : `${spellGain(dayPl, last)} today`;
    this.equity.show(equity === null ? "–" : `$${spell(equity)}`, { worth: equity, beside, besideTone: toneOf(dayPl), at });
    const isProvisional = account.stand?.provisional.includes("account");
    if (equity !== null) say(this.equity.age, isProvisional ? "after the last fill: the broker has not confirmed it yet" : `confirmed by the broker ${ago(at)}`);
    mark(this.equity.age, "data-tone", isProvisional ? "warn" : null);
    for (const [index, [, name]] of FIGURES.entries()) {
      const worth = account.money(name);
      this.figures[index].show(spell(worth), { at });
    }
  }

  #showPositions() {
    const { positions, stand } = this.account;
    this.positions.show(positions ?? [], ({ symbol }) => symbol);
    mark(this.positions.element.parentElement, "hidden", !positions?.length);
    mark(this.noPositions, "hidden", Boolean(positions?.length));
    say(this.noPositions, positions ? "No positions." : this.#unknown());
    const isProvisional = stand?.provisional.includes("positions") && positions?.length;
    say(this.positionCount, positions?.length ? `${positions.length}${isProvisional ? " · prices not confirmed since the last fill" : ""}` : "");
  }

  #showOrders() {
    const listed = this.account.listed();
    const shown = (listed ?? []).filter((order) => !this.onlyOpen || !isFinal(order)).slice(0, ORDERS_SHOWN);
    this.orders.show(shown, ({ id }) => id);
    mark(this.orders.element.parentElement, "hidden", shown.length === 0);
    mark(this.noOrders, "hidden", shown.length > 0);
    say(this.noOrders, listed ? (this.onlyOpen ? "No open orders." : "No orders.") : this.#unknown());
    const open = (listed ?? []).filter((order) => !isFinal(order)).length;
    say(this.orderCount, listed?.length ? `${open} open` : "");
    mark(this.all, "aria-pressed", String(!this.onlyOpen));
    mark(this.open, "aria-pressed", String(this.onlyOpen));
  }

  #showPast() {
    const { link } = this.account;
    const past = this.fleet.past.get(this.label) ?? [];
    const lines = past.map(described);
    if (link) {
      const isTold = past[0]?.state === link.state;
      lines.splice(0, isTold ? 1 : 0, { ...described({ at: link.since, state: link.state, text: isTold ? past[0].text : errors(link) }), isNow: isConnected() });
    }
    this.curve.gaps = this.#gaps();
    const key = JSON.stringify(lines);
    if (key === this.pastKey) return;
    this.pastKey = key;
    arrange(this.past, lines.map(({ at, tone, title, text, isNow }) => make("li", { "data-tone": tone },
      make("i", { class: "lamp", "aria-hidden": "true" }), make("div", {}, make("b", { text: isNow ? `${title} since ${clock(at)}` : title }), make("span", { text })), make("time", { datetime: at, text: isNow ? "" : clock(at) }))));
  }

  /** When nothing was heard; what is stale now is so until further notice. */
  #gaps() {
    const { gaps, link } = this.account;
    const spans = gaps.filter(({ from }) => from).map(({ from, to }) => [Date.parse(from) / 1000, to ? Date.parse(to) / 1000 : null]);
    const isOpen = link?.stale && link.stale_since && !spans.some(([, to]) => to === null);
    return isOpen ? [...spans, [Date.parse(link.stale_since) / 1000, null]] : spans;
  }

  #unknown() {
    const { link } = this.account;
    if (!link) return "Reading …";
    return link.last_error_message ? `Not known yet: ${link.last_error_message}.` : "Not known yet: nothing was read so far.";
  }
}

function errors({ last_error: at, last_error_message: message }) {
  return at ? `last error ${clock(at)}: ${message ?? ""}` : "no error in this run";
}

function described({ at, state, text, gap }) {
  if (state === "gap") return { at, tone: "warn", title: "Nothing is heard", text: "what happens from here on is read later" };
  if (state === "repaired") return { at, tone: "good", title: "Nothing lost", text: gap.recovered ? `${counted(gap.recovered, "missed fill")} read back` : "no fill was missed" };
  const { word, tone } = standing({ state });
  return { at, tone, title: word, text };
}
