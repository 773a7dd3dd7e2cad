// All accounts: totals with a curve, fills, the table.

import { formatAccountAddress, formatFleetAddress, formatMoment } from "../address.js";
import { createElement, setAttribute } from "../components/dom.js";
import { FillList } from "../components/fill_list.js";
import { HEALTHY, STATES, isConnected } from "../format/link_status.js";
import { formatShort } from "../format/time_format.js";
import { FleetState } from "../state/fleet_state.js";
import { MarksReader } from "../state/marks_reader.js";
import { PastReader } from "../state/past_reader.js";
import { FleetList } from "./fleet_list.js";
import { FleetTotals } from "./fleet_totals.js";

/** Columns that `/realtime/accounts` can sort by. */
const SORTABLE = new Set(["account_id", "equity", "day_pl", "cash", "buying_power", "positions", "open_orders", "as_of"]);

export class FleetView {
  name = "fleet";

  /** `go(address)` opens another view, `onVisibleRows(labels)` is called when others are drawn. */
  constructor(fleet, { query, asOf }, { go, onVisibleRows, onMarks, onAddress, onChange }) {
    this.fleet = fleet;
    this.query = query;
    this.onAddress = onAddress;
    this.past = new PastReader({ read: readPast, onChange: () => { this.list.setMoment(this.asOf); onChange(); } });
    this.unread = new FleetState();
    this.fills = new FillList({ label: "Fills" });
    this.totals = new FleetTotals();
    this.totals.onChange = () => this.render();
    this.marks = new MarksReader("?accounts=false", onChange);
    this.list = new FleetList({
      query, onVisibleRows, onMarks,
      onQuery: (changed) => this.#setQuery(changed),
      open: ({ label }) => go(formatAccountAddress(label, { asOf: this.asOf })),
    });
    this.setMoment(asOf);
    this.heading = createElement("h1", { class: "unseen", text: "All accounts", tabindex: "-1" });
    this.element = createElement(
      "div", { class: "fleet-view" }, this.heading, this.totals.element,
      createElement("section", { class: "card fills", "aria-labelledby": "fills-title" },
        createElement("h2", { id: "fills-title", text: "Fills" }), this.fills.element),
      this.list.element,
    );
  }

  /** The moment that is shown, in milliseconds; null is now. */
  get asOf() {
    return this.past.asOf;
  }

  /** What is known of the past that is shown, for the bar above it. */
  get pastState() {
    const { value, error, isReading } = this.past;
    const label = (value ?? this.fleet).entries.keys().next().value ?? null;
    return { label, isFleet: true, valuedAt: value?.valuedAt, note: value?.historyNote, error, isReading };
  }

  setMoment(asOf) {
    this.past.set(asOf);
    this.list.setMoment(asOf);
  }

  /** All accounts as they are shown: now, or as they were. */
  get #shown() {
    return this.asOf === null ? this.fleet : (this.past.value ?? this.unread);
  }

  get title() {
    if (this.asOf !== null) return `${formatShort(this.asOf)} · all accounts · realtime`;
    const { synced = 0, disabled = 0 } = this.fleet.countStates();
    if (!this.fleet.isComplete) return "realtime";
    return `${synced}/${this.fleet.entries.size - disabled} synced · realtime`;
  }

  get crumbs() {
    return [];
  }

  get address() {
    return formatFleetAddress(this.query, this.asOf);
  }

  /** Accounts of each kind of money: `[[isPaper, count], …]`. */
  get moneyKinds() {
    return this.fleet.totals().map(({ isPaper, enabled }) => [isPaper, enabled]);
  }

  get linkEntries() {
    return this.asOf === null ? [...this.fleet.entries.values()] : [];
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
    if (this.asOf !== null) query.set("as_of", formatMoment(this.asOf));
    return `realtime/accounts${query.size ? `?${decodeURIComponent(query)}` : ""}`;
  }

  end() {
    this.past.set(null);
    this.totals.end();
    this.marks.end();
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
  setAddress({ query, asOf }) {
    this.query = query;
    this.list.setQuery(query);
    this.setMoment(asOf);
  }

  render() {
    const fleet = this.#shown;
    this.totals.show(fleet.totals(), { isComplete: fleet.isComplete, asOf: this.asOf, marks: this.marks.document?.by_money ?? [] });
    this.fills.show(fleet.fills, this.#noFills());
    this.list.show(fleet);
    setAttribute(this.element, "aria-busy", this.past.isReading ? "true" : null);
  }

  #noFills() {
    if (this.asOf !== null) return this.past.error ? "Not recorded." : this.past.isReading ? "Reading …" : "No fills in the 24 h before.";
    if (!this.fleet.isComplete) return "Not known: nothing was received from the daemon yet.";
    if (!isConnected()) return "Not known: no connection to the daemon.";
    return this.fleet.isLarge ? "No fills since this page was opened. The newest appear here, ten a second at most." : "No fills since this page was opened. They appear here as they happen.";
  }

  #setQuery(query) {
    this.query = query;
    this.onAddress();
    this.render();
  }
}

async function readPast(asOf, signal) {
  const { readFleet } = await import("../state/past_states.js");
  return readFleet(asOf, signal);
}
