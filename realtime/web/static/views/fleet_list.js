// The table of all accounts with its search, filters, order and choice of columns.

import { formatFleetAddress } from "../address.js";
import { createColumnMenu } from "../components/column_menu.js";
import { createElement, setAttribute, setChildren, setText } from "../components/dom.js";
import { VirtualTable } from "../components/virtual_table.js";
import { STATES } from "../format/link_status.js";
import { FLEET_COLUMNS } from "./fleet_columns.js";
import { groupEntries, isProblem, selectEntries } from "./fleet_selection.js";

const SORT_INTERVAL_MS = 5000; // rows change place at most this often
const ALWAYS_OFFERED = new Set(["waiting", "refused", "disabled"]);
const DEFAULT_COLUMNS = new Set(FLEET_COLUMNS.filter(({ isOptional }) => !isOptional).map(({ key }) => key));

/** Where there is no room for column names: order → its name. */
const ORDERS = { "day_pl desc": "Best day first", "day_pl asc": "Worst day first", "equity desc": "Largest first", "account_id asc": "By name" };

export class FleetList {
  /** `onQuery(query)` is called when the reader changes the query, `open(entry)` for a row. */
  constructor({ query, onQuery, open, onVisibleRows, onMarks }) {
    this.query = query;
    this.onQuery = onQuery;
    this.onMarks = onMarks; // called with whether the column of marks is shown
    this.sortedAt = -Infinity;
    this.buttons = new Map();
    this.table = new VirtualTable(FLEET_COLUMNS, { label: "Accounts", open: (entry) => (entry.group === undefined ? open(entry) : this.#toggle(entry.group)), sortBy: (column) => this.#sortBy(column), onVisibleRows });
    this.element = this.#build();
  }

  end() {
    this.table.end();
  }

  focusSearch() {
    this.field.focus();
    this.field.select();
  }

  /** Another moment: other rows at once. */
  setMoment(asOf) {
    this.table.asOf = asOf;
    this.sortedAt = -Infinity;
  }

  setQuery(query) {
    this.query = query;
    this.field.value = query.search;
    this.sortedAt = -Infinity;
  }

  show(fleet) {
    const states = fleet.countStates();
    const entries = [...fleet.entries.values()];
    this.#showChips(states, entries, fleet.isComplete || entries.length > 0);
    this.#showRows(fleet, entries);
    this.orders.value = `${this.query.sort.column} ${this.query.sort.descending ? "desc" : "asc"}`;
    setAttribute(this.problemsFirst, "aria-pressed", String(this.query.isProblemsFirst));
    setAttribute(this.grouped, "aria-pressed", String(Boolean(this.query.group)));
    for (const [key, box] of this.boxes) box.checked = this.#wanted.has(key);
    setAttribute(this.boxes.get("equity_mark").parentElement, "hidden", !fleet.isMarked);
    this.onMarks(fleet.isMarked && this.#wanted.has("equity_mark"));
  }

  get #wanted() {
    return this.query.columns ?? DEFAULT_COLUMNS;
  }

  #build() {
    const { menu, boxes } = createColumnMenu(FLEET_COLUMNS.filter(({ rank }) => rank > 0), (key, isWanted) => this.#toggleColumn(key, isWanted));
    this.boxes = boxes;
    this.field = createElement("input", {
      type: "search", id: "search", placeholder: "Search accounts", "aria-label": "Search accounts by label, name or tier",
      autocomplete: "off", spellcheck: "false", value: this.query.search,
      on: { input: () => this.#change({ search: this.field.value }), keydown: (event) => this.#handleSearchKey(event) },
    });
    this.orders = createElement("select", { "aria-label": "Order of the accounts", on: { change: () => this.#sort(...this.orders.value.split(" ")) } },
      ...Object.entries(ORDERS).map(([value, text]) => createElement("option", { value, text })));
    this.chips = createElement("div", { class: "chips", role: "group", "aria-label": "Filter by link" });
    this.problemsFirst = createElement("button", { type: "button", class: "chip toggle", text: "Problems first", on: { click: () => this.#change({ isProblemsFirst: !this.query.isProblemsFirst }) } });
    this.grouped = createElement("button", { type: "button", class: "chip toggle", text: "By tier", title: "Group by tier", on: { click: () => this.#change({ group: this.query.group ? "" : "tier", toggled: new Set() }) } });
    this.count = createElement("p", { class: "count", "aria-live": "polite" });
    this.empty = createElement("p", { class: "empty", text: "" });
    const search = createElement("label", { class: "search" }, createSearchIcon(), this.field, createElement("kbd", { text: "/", "aria-hidden": "true" }));
    return createElement("section", { class: "card wide", "aria-labelledby": "accounts-title" },
      createElement("div", { class: "bar" },
        createElement("h2", { id: "accounts-title", text: "Accounts" }), this.count, this.orders, this.chips, this.problemsFirst, this.grouped, menu, search),
      this.table.element, this.empty);
  }

  #showChips(states, entries, isKnown) {
    const problems = entries.filter(isProblem).length;
    const offered = [["", "All", entries.length], ["synced", "Synced", states.synced ?? 0]];
    if (problems || this.query.state === "problem") offered.push(["problem", "Not synced", problems]);
    for (const [state, [name]] of Object.entries(STATES)) {
      const isChosen = this.query.state === state;
      if (state !== "synced" && (isChosen || (states[state] && ALWAYS_OFFERED.has(state)))) offered.push([state, name, states[state] ?? 0]);
    }
    setChildren(this.chips, offered.map(([state, name, count]) => this.#updateChip(state, name, isKnown ? count.toLocaleString("en") : "–")));
  }

  #updateChip(state, name, count) {
    let chip = this.buttons.get(state);
    if (!chip) {
      chip = createElement("button", { type: "button", class: "chip", on: { click: () => this.#change({ state }) } }, createElement("span", { text: name }), createElement("b"));
      this.buttons.set(state, chip);
    }
    setText(chip.lastChild, count);
    setAttribute(chip, "aria-pressed", String(this.query.state === state));
    return chip;
  }

  #showRows(fleet, entries) {
    const moment = performance.now();
    const isDue = moment - this.sortedAt > SORT_INTERVAL_MS && !(this.sortedAt > 0 && this.table.isHeld);
    if (isDue || entries.length !== this.sortedCount) {
      this.sortedAt = moment;
      this.sortedCount = entries.length;
      this.sorted = selectEntries(entries, this.query);
      this.#fitColumns(this.query.group ? [...entries, ...groupEntries(this.sorted, this.query).filter(({ group }) => group !== undefined)] : entries);
    }
    const items = this.sorted.filter(({ label }) => fleet.entries.has(label));
    this.table.show(this.query.group ? this.#grouped(items) : items, this.query.sort);
    setText(this.count, items.length === entries.length ? "" : `${items.length.toLocaleString("en")} of ${entries.length.toLocaleString("en")}`);
    setText(this.empty, this.#emptyText(fleet, entries.length));
    setAttribute(this.empty, "hidden", items.length > 0);
    setAttribute(this.table.element, "hidden", items.length === 0);
  }

  #grouped(items) {
    return groupEntries(items, this.query).map((item) => (item.group === undefined ? item : { ...item, href: formatFleetAddress({ ...this.query, toggled: toggle(this.query.toggled, item.group) }, this.table.asOf) }));
  }

  #toggle(group) {
    this.#change({ toggled: toggle(this.query.toggled, group) });
  }

  #fitColumns(entries) {
    if (!entries.length) return;
    this.table.setExtents(Object.fromEntries(FLEET_COLUMNS.map(({ key, chars }) => [key, chars(entries)])), this.#wanted);
  }

  #emptyText(fleet, count) {
    if (!fleet.isComplete) return this.table.asOf === null ? "Reading the accounts …" : "";
    return count ? "No account matches. Esc clears the search." : "There are no accounts: add some to accounts.toml.";
  }

  #toggleColumn(key, isWanted) {
    const columns = new Set(this.#wanted);
    if (isWanted) columns.add(key);
    else columns.delete(key);
    this.#change({ columns });
  }

  #sortBy({ key }) {
    const isSame = this.query.sort.column === key;
    this.#sort(key, (isSame ? !this.query.sort.descending : key !== "account_id") ? "desc" : "asc");
  }

  #sort(column, order) {
    this.#change({ sort: { column, descending: order === "desc" } });
  }

  #change(part) {
    this.sortedAt = -Infinity;
    this.query = { ...this.query, ...part };
    this.onQuery(this.query);
  }

  #handleSearchKey(event) {
    if (event.key === "Enter" || event.key === "ArrowDown") {
      event.preventDefault();
      this.table.focus(0);
    } else if (event.key === "Escape" && this.query.search) {
      event.stopPropagation();
      this.field.value = "";
      this.#change({ search: "" });
    }
  }
}

/** The set with this key, or without it if it was in it. */
function toggle(keys, key) {
  const toggled = new Set(keys);
  if (!toggled.delete(key)) toggled.add(key);
  return toggled;
}

function createSearchIcon() {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", "M10.5 4a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13zm4.8 11.3L20 20");
  svg.append(path);
  return svg;
}
