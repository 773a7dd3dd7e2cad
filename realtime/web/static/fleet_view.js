// All accounts: totals, curve, fills, table.

import { Curve } from "./curve.js";
import { approximate, spell, spellGain } from "./decimal.js";
import { arrange, make, mark, say } from "./dom.js";
import { Feed } from "./feed.js";
import { COLUMNS } from "./fleet_columns.js";
import { Figure, toneOf } from "./figure.js";
import { FleetTable } from "./table.js";
import { STATES, isConnected, now } from "./words.js";

const SORT_EVERY_MS = 1500;
const TROUBLE = new Set(["synced", "disabled"]);

/** Where there is no room for column names: sort → how it is called. */
const SORTS = { "day_pl desc": "Best day first", "day_pl asc": "Worst day first", "equity desc": "Largest first", "account_id asc": "By name", "state desc": "Troubles first" };

const ASKED = { account_id: "account_id", equity: "equity", day_pl: "day_pl", cash: "cash", buying_power: "buying_power", positions: "positions", open_orders: "open_orders", as_of: "as_of" };

export class FleetView {
  constructor(fleet, query, { go }) {
    this.fleet = fleet;
    this.go = go;
    this.sortedAt = -Infinity;
    this.known = -1;
    this.#read(query);
    this.curve = new Curve({ history: "realtime/history/_all", label: "Total equity over time" });
    this.feed = new Feed({ label: "Fills", quiet: "No fills since this page was opened. They appear here as they happen." });
    this.table = new FleetTable(COLUMNS, {
      label: "Accounts",
      open: ({ label }) => go(`#/account/${label}`),
      sorted: (column) => this.#sortBy(column),
    });
    this.element = this.#build();
  }

  get title() {
    const { synced = 0 } = this.fleet.byState();
    return `${synced}/${this.fleet.entries.size} synced · realtime`;
  }

  get crumbs() {
    return [];
  }

  /** Whether all of it is play money; undefined while nothing is known. */
  get isPaper() {
    const known = [...this.fleet.entries.values()].filter(({ row }) => row);
    return known.length ? known.every(({ row }) => row.paper) : undefined;
  }

  get notices() {
    return [...this.fleet.entries.values()];
  }

  get curl() {
    const query = new URLSearchParams();
    if (this.state === "trouble") query.set("state", Object.keys(STATES).filter((state) => !TROUBLE.has(state)).join(","));
    else if (this.state) query.set("state", this.state);
    if (ASKED[this.sort.column]) {
      query.set("sort", ASKED[this.sort.column]);
      if (this.sort.descending) query.set("order", "desc");
    }
    return `realtime/accounts${query.size ? `?${decodeURIComponent(query)}` : ""}`;
  }

  end() {
    this.curve.end();
    this.table.end();
  }

  recolour() {
    this.curve.recolour();
  }

  focus() {
    this.table.focus();
  }

  search() {
    this.field.focus();
    this.field.select();
  }

  /** Another address of the same view. */
  turn(query) {
    this.#read(query);
    this.field.value = this.words;
    this.sortedAt = -Infinity;
    this.render();
  }

  render() {
    const totals = this.fleet.totals();
    this.#showTotals(totals);
    this.#showChips(totals);
    this.feed.show(this.fleet.fills);
    this.#showTable(totals);
    if (totals.known !== this.known) this.curve.restart();
    this.known = totals.known;
    if (totals.known && this.fleet.isComplete && isConnected()) this.curve.add(Math.floor(now() / 1000), approximate(totals.equity));
  }

  #read(query) {
    this.words = query.get("q") ?? "";
    this.state = query.get("state") ?? "";
    this.sort = { column: query.get("sort") ?? "day_pl", descending: query.get("order") !== "asc" };
  }

  #write() {
    const query = new URLSearchParams();
    if (this.words) query.set("q", this.words);
    if (this.state) query.set("state", this.state);
    if (this.sort.column !== "day_pl" || !this.sort.descending) query.set("sort", this.sort.column);
    if (!this.sort.descending) query.set("order", "asc");
    history.replaceState(null, "", `#/${query.size ? `?${query}` : ""}`);
    this.sortedAt = -Infinity;
    this.render();
  }

  #build() {
    this.total = new Figure("Total equity", { big: true });
    this.figures = ["Cash", "Buying power", "Positions", "Open orders", "Accounts"].map((name) => new Figure(name));
    this.field = make("input", {
      type: "search", id: "search", placeholder: "Search accounts", "aria-label": "Search accounts by label, name or tier",
      autocomplete: "off", spellcheck: "false", value: this.words,
      on: { input: () => { this.words = this.field.value; this.#write(); }, keydown: (event) => this.#searchKey(event) },
    });
    this.sorts = make("select", { "aria-label": "Order of the accounts", on: { change: () => this.#sort(...this.sorts.value.split(" ")) } },
      ...Object.entries(SORTS).map(([value, text]) => make("option", { value, text })));
    this.chips = make("div", { class: "chips", role: "group", "aria-label": "Only accounts whose link is" });
    this.count = make("p", { class: "count", "aria-live": "polite" });
    this.nothing = make("p", { class: "nothing", text: "" });
    this.waiting = make("p", { class: "nothing", text: "Reading the accounts …" });
    return make(
      "div", { class: "fleet-view" },
      make("h1", { class: "unseen", text: "All accounts", tabindex: "-1" }),
      make("section", { class: "card chart", "aria-label": "Totals" },
        make("dl", { class: "headline" }, this.total.element), this.curve.element,
        make("dl", { class: "figures" }, ...this.figures.map((figure) => figure.element))),
      make("section", { class: "card fills", "aria-labelledby": "fills-title" },
        make("h2", { id: "fills-title", text: "Fills" }), this.feed.element),
      make("section", { class: "card wide", "aria-labelledby": "accounts-title" },
        make("div", { class: "bar" },
          make("h2", { id: "accounts-title", text: "Accounts" }), this.count, this.sorts, this.chips,
          make("label", { class: "search" }, icon(), this.field, make("kbd", { text: "/", "aria-hidden": "true" }))),
        this.table.element, this.nothing, this.waiting),
    );
  }

  #showTotals(totals) {
    const beside = totals.dayPl === null ? "" : `${spellGain(totals.dayPl, totals.base)} today`;
    this.total.show(totals.equity === null ? "–" : `$${spell(totals.equity)}`, { beside, besideTone: toneOf(totals.dayPl), at: totals.at });
    say(this.total.age, totals.stale ? `${totals.stale} of ${totals.known} accounts in it may be behind` : "");
    mark(this.total.age, "data-tone", totals.stale ? "warn" : null);
    const { synced = 0, disabled = 0 } = totals.byState;
    const [cash, power, positions, orders, accounts] = this.figures;
    const { at } = totals; // the newest of them: what is older is counted beside the total
    cash.show(spell(totals.cash), { at });
    power.show(spell(totals.buyingPower), { at });
    positions.show(totals.positions.toLocaleString("en"), { at });
    orders.show(totals.openOrders.toLocaleString("en"), { at });
    const meant = totals.accounts - disabled;
    const known = isConnected() ? synced.toLocaleString("en") : "–";
    accounts.show(known, { beside: ` / ${meant.toLocaleString("en")} synced`, tone: synced < meant ? "warn" : null });
  }

  #showChips({ byState, accounts }) {
    const trouble = Object.entries(byState).reduce((all, [state, count]) => all + (TROUBLE.has(state) ? 0 : count), 0);
    const offered = [["", "All", accounts], ["synced", "Synced", byState.synced ?? 0]];
    if (trouble || this.state === "trouble") offered.push(["trouble", "Not synced", trouble]);
    for (const state of Object.keys(STATES)) {
      if (state !== "synced" && (byState[state] || this.state === state) && (state === this.state || ["waiting", "refused", "disabled"].includes(state))) {
        offered.push([state, STATES[state][0], byState[state] ?? 0]);
      }
    }
    this.buttons ??= new Map();
    arrange(this.chips, offered.map(([state, name, count]) => this.#chip(state, name, count)));
  }

  #chip(state, name, count) {
    let chip = this.buttons.get(state);
    if (!chip) {
      const choose = () => { this.state = state; this.#write(); };
      chip = make("button", { type: "button", class: "chip", on: { click: choose } }, make("span", { text: name }), make("b"));
      this.buttons.set(state, chip);
    }
    say(chip.lastChild, count.toLocaleString("en"));
    mark(chip, "aria-pressed", String(this.state === state));
    return chip;
  }

  #showTable({ accounts }) {
    const moment = performance.now();
    const isDue = moment - this.sortedAt > SORT_EVERY_MS && !(this.sortedAt > 0 && this.table.isHeld);
    if (isDue || accounts !== this.sortedOf) {
      this.sortedAt = moment;
      this.sortedOf = accounts;
      this.sorted = this.#chosen();
    }
    const items = this.sorted.filter(({ label }) => this.fleet.entries.has(label));
    this.table.show(items, this.sort);
    this.sorts.value = `${this.sort.column} ${this.sort.descending ? "desc" : "asc"}`;
    say(this.count, items.length === accounts ? "" : `${items.length.toLocaleString("en")} of ${accounts.toLocaleString("en")}`);
    mark(this.waiting, "hidden", this.fleet.isComplete || accounts > 0);
    mark(this.nothing, "hidden", items.length > 0 || !this.fleet.isComplete);
    say(this.nothing, accounts ? "No account is like that. Esc clears the search." : "There are no accounts: name some in accounts.toml.");
    mark(this.table.element, "hidden", items.length === 0);
  }

  #chosen() {
    const words = this.words.toLowerCase().split(/\s+/).filter(Boolean);
    const column = COLUMNS.find(({ key }) => key === this.sort.column) ?? COLUMNS[0];
    const way = this.sort.descending ? -1 : 1;
    const keyed = [...this.fleet.entries.values()]
      .filter((entry) => this.#isWanted(entry, words))
      .map((entry) => [column.order(entry), entry]);
    keyed.sort(([a, left], [b, right]) => {
      if (a === b || (a === null && b === null)) return left.label < right.label ? -1 : 1;
      if (a === null || b === null) return a === null ? 1 : -1;
      return a < b ? -way : way;
    });
    return keyed.map(([, entry]) => entry);
  }

  #isWanted({ label, row, link }, words) {
    const state = link?.state ?? "starting";
    if (this.state === "trouble" ? TROUBLE.has(state) : this.state && state !== this.state) return false;
    const text = `${label} ${row?.name ?? ""} ${row?.tier ?? ""}`.toLowerCase();
    return words.every((word) => text.includes(word));
  }

  #sortBy({ key }) {
    const isSame = this.sort.column === key;
    this.#sort(key, (isSame ? !this.sort.descending : key !== "account_id") ? "desc" : "asc");
  }

  #sort(column, order) {
    this.sort = { column, descending: order === "desc" };
    this.#write();
  }

  #searchKey(event) {
    if (event.key === "Enter" || event.key === "ArrowDown") {
      event.preventDefault();
      this.table.focus(0);
    } else if (event.key === "Escape" && this.words) {
      event.stopPropagation();
      this.field.value = this.words = "";
      this.#write();
    }
  }
}

function icon() {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", "M10.5 4a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13zm4.8 11.3L20 20");
  svg.append(path);
  return svg;
}
