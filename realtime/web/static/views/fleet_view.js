// All accounts: totals with a curve, fills, the table.

import { formatFleetAddress } from "../address.js";
import { createElement } from "../components/dom.js";
import { FillList } from "../components/fill_list.js";
import { HEALTHY, STATES, isConnected } from "../format/link_status.js";
import { FleetList } from "./fleet_list.js";
import { FleetTotals } from "./fleet_totals.js";

/** Columns that `/realtime/accounts` can sort by. */
const SORTABLE = new Set(["account_id", "equity", "day_pl", "cash", "buying_power", "positions", "open_orders", "as_of"]);

export class FleetView {
  /** `go(address)` opens another view, `onVisibleRows(labels)` is called when others are drawn. */
  constructor(fleet, query, { go, onVisibleRows }) {
    this.fleet = fleet;
    this.query = query;
    this.fills = new FillList({ label: "Fills" });
    this.totals = new FleetTotals();
    this.totals.onChange = () => this.render();
    this.list = new FleetList({
      query, onVisibleRows,
      onQuery: (changed) => this.#setQuery(changed),
      open: ({ label }) => go(`#/account/${label}`),
    });
    this.heading = createElement("h1", { class: "unseen", text: "All accounts", tabindex: "-1" });
    this.element = createElement(
      "div", { class: "fleet-view" }, this.heading, this.totals.element,
      createElement("section", { class: "card fills", "aria-labelledby": "fills-title" },
        createElement("h2", { id: "fills-title", text: "Fills" }), this.fills.element),
      this.list.element,
    );
  }

  get title() {
    const { synced = 0, disabled = 0 } = this.fleet.countStates();
    if (!this.fleet.isComplete) return "realtime";
    return `${synced}/${this.fleet.entries.size - disabled} synced · realtime`;
  }

  get crumbs() {
    return [];
  }

  get address() {
    return formatFleetAddress(this.query);
  }

  /** Accounts of each kind of money: `[[isPaper, count], …]`. */
  get moneyKinds() {
    return this.fleet.totals().map(({ isPaper, enabled }) => [isPaper, enabled]);
  }

  get linkEntries() {
    return [...this.fleet.entries.values()];
  }

  /** The path of `/realtime/accounts` with the rows that are listed. */
  get curl() {
    const { state, sort } = this.query;
    const query = new URLSearchParams();
    if (state === "problem") query.set("state", Object.keys(STATES).filter((each) => !HEALTHY.has(each)).join(","));
    else if (state) query.set("state", state);
    if (SORTABLE.has(sort.column)) {
      query.set("sort", sort.column);
      if (sort.descending) query.set("order", "desc");
    }
    return `realtime/accounts${query.size ? `?${decodeURIComponent(query)}` : ""}`;
  }

  end() {
    this.totals.end();
    this.list.end();
  }

  redraw() {
    this.totals.redraw();
  }

  focus() {
    this.list.table.focus();
  }

  search() {
    this.list.focusSearch();
  }

  /** Where the reader is: for coming back to it. */
  get place() {
    return { label: this.list.table.activeLabel, scroll: scrollY };
  }

  /** Go back to where the reader was. */
  restore({ label, scroll }) {
    scrollTo({ top: scroll, behavior: "instant" });
    if (label === null || !this.list.table.focusLabel(label)) this.focus();
  }

  /** Another address of this view. */
  setQuery(query) {
    this.query = query;
    this.list.setQuery(query);
    this.render();
  }

  render() {
    const { fleet } = this;
    this.totals.show(fleet.totals(), { isComplete: fleet.isComplete });
    this.fills.show(fleet.fills, this.#noFills());
    this.list.show(fleet);
  }

  #noFills() {
    if (!this.fleet.isComplete) return "Not known: nothing was received from the daemon yet.";
    if (!isConnected()) return "Not known: no connection to the daemon.";
    return this.fleet.isLarge ? "No fills since this page was opened. The newest appear here, ten a second at most." : "No fills since this page was opened. They appear here as they happen.";
  }

  #setQuery(query) {
    this.query = query;
    history.replaceState(null, "", this.address);
    this.render();
  }
}
