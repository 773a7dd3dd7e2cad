// What this page knows of all accounts: rows, links, the last fills, and how links have fared.

import { exact, sum } from "./decimal.js";
import { hearClock } from "./words.js";

const FILLS_KEPT = 60;
const PAST_KEPT = 40;
const MONEY = ["equity", "last_equity", "cash", "buying_power", "day_pl"];
const COUNTED_S = 5;
const PASSING = new Set(["connecting", "authorizing", "syncing"]); // of these only the last is worth a line

export class Fleet {
  constructor() {
    this.openedAt = Date.now();
    this.entries = new Map(); // label → { row, link, money: column → BigInt }
    this.fills = []; // newest first
    this.past = new Map(); // label → what became of its link since this page is open, newest first
    this.isComplete = false;
    this.version = 0;
    this.seen = null; // labels of the snapshot under way
    this.seconds = []; // [second, events heard in it]
  }

  /** Take an event of the stream. */
  hear(name, data) {
    this.#count();
    this.version += 1;
    switch (name) {
      case "row": return this.#row(data);
      case "link": return this.#link(data);
      case "order": return this.#order(data);
      case "gap": return this.#gap(data);
      case "gone": return void this.entries.delete(data.account_id);
      case "resync": return void (this.seen = new Set());
      case "ready": return this.#ready(data);
      case "heartbeat": return hearClock(data.as_of);
    }
  }

  /** Events a second, over the last few. */
  rate() {
    const second = Math.floor(performance.now() / 1000);
    const counted = this.seconds.filter(([at]) => at < second && at >= second - COUNTED_S);
    return counted.reduce((all, [, count]) => all + count, 0) / COUNTED_S;
  }

  /** All figures of the fleet, exact. */
  totals() {
    const entries = [...this.entries.values()];
    const of = (column) => sum(entries.map(({ money }) => money[column]));
    const count = (column) => entries.reduce((all, { row }) => all + (row?.[column] ?? 0), 0);
    const both = entries.filter(({ money }) => money.day_pl !== null);
    return {
      equity: of("equity"),
      cash: of("cash"),
      buyingPower: of("buying_power"),
      dayPl: of("day_pl"),
      base: sum(both.map(({ money }) => money.last_equity)),
      positions: count("positions"),
      openOrders: count("open_orders"),
      at: entries.reduce((last, { row }) => (row && row.as_of > last ? row.as_of : last), "") || null,
      known: entries.filter(({ money }) => money.equity !== null).length,
      stale: entries.filter(({ row, link }) => row?.stale && row.equity !== null && link?.state !== "disabled").length,
      byState: this.byState(),
      accounts: entries.length,
    };
  }

  byState() {
    const counts = {};
    for (const { link } of this.entries.values()) {
      const state = link?.state ?? "starting";
      counts[state] = (counts[state] ?? 0) + 1;
    }
    return counts;
  }

  #entry(label) {
    let entry = this.entries.get(label);
    if (!entry) {
      entry = { label, row: null, link: null, money: Object.fromEntries(MONEY.map((name) => [name, null])) };
      this.entries.set(label, entry);
    }
    this.seen?.add(label);
    return entry;
  }

  #row(row) {
    const entry = this.#entry(row.account_id);
    entry.row = row;
    for (const name of MONEY) entry.money[name] = exact(row[name]);
  }

  #link({ account_id: label, link, as_of: at }) {
    const entry = this.#entry(label);
    const before = entry.link;
    entry.link = link;
    if (before && before.state === link.state && before.last_error === link.last_error) return;
    if (before) this.#remember(label, { at, state: link.state, text: told(link) });
  }

  #gap(gap) {
    this.#remember(gap.account_id, { at: gap.to ?? gap.from, state: gap.repaired ? "repaired" : "gap", gap });
  }

  #remember(label, entry) {
    const past = this.past.get(label) ?? [];
    if (PASSING.has(past[0]?.state)) past.shift();
    past.unshift(entry);
    past.length = Math.min(past.length, PAST_KEPT);
    this.past.set(label, past);
  }

  #order(update) {
    if (update.event !== "fill" && update.event !== "partial_fill") return;
    if (this.fills.some((fill) => fill.execution_id && fill.execution_id === update.execution_id)) return;
    this.fills.unshift(update);
    this.fills.length = Math.min(this.fills.length, FILLS_KEPT);
  }

  #ready({ as_of, resumed }) {
    hearClock(as_of);
    if (!resumed && this.seen) {
      for (const label of this.entries.keys()) if (!this.seen.has(label)) this.entries.delete(label);
    }
    this.seen = null;
    this.isComplete = true;
  }

  #count() {
    if (!this.isComplete) return;
    const second = Math.floor(performance.now() / 1000);
    const last = this.seconds.at(-1);
    if (last && last[0] === second) last[1] += 1;
    else this.seconds.push([second, 1]);
    if (this.seconds.length > COUNTED_S + 2) this.seconds.shift();
  }
}

function told(link) {
  if (link.state === "synced") return "back in step with the broker";
  const attempt = link.reconnect_attempts ? ` (attempt ${link.reconnect_attempts})` : "";
  if (link.state === "waiting" || link.state === "refused") return `${link.last_error_message ?? "lost"}${attempt}`;
  return link.stale_reason ?? "";
}
