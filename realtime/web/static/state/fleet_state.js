// What this page knows of all accounts: rows, links, the newest fills, the history of links.

import { parseDecimal, sum } from "../format/decimal.js";
import { setServerTime } from "../format/time_format.js";

/** Above it the stream carries the rows on the screen, totals and problems only. */
export const MAX_FULL_ROWS = 200;

const MAX_FILLS = 60;
const MAX_LINK_EVENTS = 40;
const RATE_WINDOW_S = 5;
const MONEY = ["equity", "last_equity", "cash", "buying_power", "day_pl", "flows_today", "total_pl", "equity_mark"];
const TRANSIENT = new Set(["connecting", "authorizing", "syncing"]); // only the last of these is worth a line

export class FleetState {
  constructor() {
    this.entries = new Map(); // label → { label, row, link, money: column → BigInt, confirmedAt }
    this.fills = []; // newest first
    this.fillCount = 0; // received since the page was opened
    this.linkEvents = new Map(); // label → what its link did since the page was opened, newest first
    this.isComplete = false;
    this.serverTotals = null; // of event `fleet`, which comes where not all rows do
    this.snapshotLabels = null; // labels of the snapshot on its way
    this.seconds = []; // [second, events in it]
  }

  /** Whether the stream is to carry only what is on the screen. */
  get isLarge() {
    return this.entries.size > MAX_FULL_ROWS;
  }

  /** Apply an event of the stream. */
  handleEvent(name, data) {
    switch (name) {
      case "row": this.#countEvents(1); return this.#setRow(data);
      case "mark": return this.#setMark(data);
      case "link": this.#countEvents(1); return this.#setLink(data);
      case "order": this.#countEvents(1); return this.#addFill(data);
      case "fleet": return this.#setTotals(data);
      case "gap": return this.#addGap(data);
      case "gone": return void this.entries.delete(data.account_id);
      case "resync": return void (this.snapshotLabels = new Set());
      case "ready": return this.#completeSnapshot(data);
      case "heartbeat": return setServerTime(data.as_of);
    }
  }

  /** Take rows of the table of all accounts, read beside the stream: older ones change nothing. */
  setRows(rows) {
    for (const row of rows) {
      const entry = this.entries.get(row.account_id);
      if (entry && !(entry.row && entry.row.as_of > row.as_of)) this.#setRow(row);
    }
  }

  /** Take the rows of a past moment. What a link did then is only known as synced or not. */
  setPast(rows) {
    for (const row of rows) {
      const entry = this.#entry(row.account_id);
      this.#setRow(row);
      entry.link = { state: "synced", stale: row.stale, stale_reason: "not synced at that time" };
    }
    this.isComplete = true;
  }

  /** Whether accounts are marked to market here. */
  get isMarked() {
    return [...this.entries.values()].some(({ row }) => row?.equity_mark !== undefined);
  }

  /** Events per second, over the last few. */
  rate() {
    const second = Math.floor(performance.now() / 1000);
    const counted = this.seconds.filter(([at]) => at < second && at >= second - RATE_WINDOW_S);
    return counted.reduce((all, [, count]) => all + count, 0) / RATE_WINDOW_S;
  }

  /** Totals of each kind of money there is, real money first; they are never added up. */
  totals() {
    const kinds = [false, true].map((isPaper) => [isPaper, [...this.entries.values()].filter(({ row }) => row?.paper === isPaper)]);
    return kinds.filter(([, entries]) => entries.length).map(([isPaper, entries]) => {
      const server = this.serverTotals?.get(isPaper);
      return { isPaper, ...(server && this.isLarge ? server : addUp(entries)), ...this.#countLinks(entries) };
    });
  }

  /** Link state → number of accounts in it. */
  countStates() {
    const counts = {};
    for (const { link } of this.entries.values()) {
      const state = link?.state ?? "starting";
      counts[state] = (counts[state] ?? 0) + 1;
    }
    return counts;
  }

  #countLinks(entries) {
    const enabled = entries.filter(({ link }) => link?.state !== "disabled");
    return { enabled: enabled.length, synced: enabled.filter(({ link }) => link?.state === "synced").length };
  }

  #entry(label) {
    let entry = this.entries.get(label);
    if (!entry) {
      entry = { label, row: null, link: null, confirmedAt: null, money: Object.fromEntries(MONEY.map((name) => [name, null])) };
      this.entries.set(label, entry);
    }
    this.snapshotLabels?.add(label);
    return entry;
  }

  #setRow(row) {
    const entry = this.#entry(row.account_id);
    entry.row = row;
    if (row.confirmed_at !== undefined) entry.confirmedAt = row.confirmed_at;
    for (const name of MONEY) entry.money[name] = parseDecimal(row[name]);
    entry.money.day_pl = withoutFlows(entry.money);
  }

  #setMark({ account_id: label, mark }) {
    const entry = this.entries.get(label);
    if (entry) Object.assign(entry.money, { equity_mark: parseDecimal(mark?.equity) });
  }

  #setTotals({ totals, fills, updates, as_of: at }) {
    setServerTime(at);
    this.#countEvents(updates);
    this.serverTotals = new Map(totals.map((total) => [total.paper, parseTotals(total)]));
    for (const fill of fills) this.#addFill(fill);
  }

  #setLink({ account_id: label, link, as_of: at }) {
    const entry = this.#entry(label);
    const before = entry.link;
    entry.link = link;
    if (!before || (before.state === link.state && before.last_error === link.last_error)) return;
    this.#addLinkEvent(label, { at, state: link.state, text: linkEventText(link) });
  }

  #addGap(gap) {
    this.#addLinkEvent(gap.account_id, { at: gap.to ?? gap.from, state: gap.repaired ? "repaired" : "gap", gap });
  }

  #addLinkEvent(label, event) {
    const events = this.linkEvents.get(label) ?? [];
    if (TRANSIENT.has(events[0]?.state)) events.shift();
    events.unshift(event);
    events.length = Math.min(events.length, MAX_LINK_EVENTS);
    this.linkEvents.set(label, events);
  }

  #addFill(update) {
    if (update.event !== "fill" && update.event !== "partial_fill") return;
    if (this.fills.some((fill) => fill.execution_id && fill.execution_id === update.execution_id)) return;
    this.fillCount += 1;
    this.fills.unshift(update);
    this.fills.length = Math.min(this.fills.length, MAX_FILLS);
  }

  #completeSnapshot({ as_of: at, resumed }) {
    setServerTime(at);
    if (!resumed && this.snapshotLabels) {
      for (const label of this.entries.keys()) if (!this.snapshotLabels.has(label)) this.entries.delete(label);
    }
    this.snapshotLabels = null;
    this.isComplete = true;
  }

  #countEvents(count) {
    if (!this.isComplete) return;
    const second = Math.floor(performance.now() / 1000);
    const last = this.seconds.at(-1);
    if (last && last[0] === second) last[1] += count;
    else this.seconds.push([second, count]);
    if (this.seconds.length > RATE_WINDOW_S + 2) this.seconds.shift();
  }
}

/** Exact sums of accounts of one kind of money; null where nothing is known. */
export function addUp(entries) {
  const read = entries.filter(({ money }) => money.equity !== null);
  const of = (column) => sum(read.map(({ money }) => money[column]));
  const count = (column) => (read.length ? read.reduce((all, { row }) => all + (row[column] ?? 0), 0) : null);
  const known = read.filter(({ money }) => money.day_pl !== null);
  const confirmed = read.map(({ confirmedAt }) => confirmedAt);
  return {
    equity: of("equity"), cash: of("cash"), buyingPower: of("buying_power"),
    dayPl: of("day_pl"), base: sum(known.map(({ money }) => money.last_equity)),
    flows: of("flows_today"), flowsUnknown: read.filter(({ money }) => money.flows_today === null).length,
    positions: count("positions"), openOrders: count("open_orders"),
    read: read.length,
    stale: read.filter(({ row, link }) => row.stale && link?.state !== "disabled").length,
    confirmedAt: confirmed.length && confirmed.every(Boolean) ? confirmed.reduce((a, b) => (a < b ? a : b)) : null,
  };
}

function parseTotals(total) {
  const money = Object.fromEntries(MONEY.map((name) => [name, parseDecimal(total[name])]));
  return {
    equity: money.equity, cash: money.cash, buyingPower: money.buying_power,
    dayPl: withoutFlows(money), base: money.last_equity, flows: money.flows_today, flowsUnknown: total.flows_unknown,
    positions: total.positions, openOrders: total.open_orders,
    read: total.read, stale: total.stale, confirmedAt: total.confirmed_at,
  };
}

/** Today's profit or loss: what was paid in or out is neither. */
function withoutFlows({ equity, last_equity: last, day_pl: dayPl, flows_today: flows }) {
  if (equity === null || last === null) return dayPl;
  return equity - last - (flows ?? 0n);
}

function linkEventText(link) {
  if (link.state === "synced") return "in step with the broker again";
  const attempt = link.reconnect_attempts ? ` (attempt ${link.reconnect_attempts})` : "";
  if (link.state === "waiting" || link.state === "refused") return `${link.last_error_message ?? "connection lost"}${attempt}`;
  return link.stale_reason ?? "";
}
