// What this page knows of one account: money, positions, orders, fills.

import { formatMoment } from "../address.js";
import { parseDecimal } from "../format/decimal.js";

const MAX_ORDERS = 300;
const MAX_FILLS = 40;
const MAX_GAPS = 40;
const REQUEST_TIMEOUT_MS = 8000;
const FINAL = new Set(["filled", "canceled", "expired", "rejected", "replaced"]);

export class AccountState {
  /** `asOf`: a moment in milliseconds whose state this is to be; null is the present. */
  constructor(label, asOf = null) {
    this.label = label;
    this.asOf = asOf;
    this.valuedAt = null; // of the past: the moment that money and prices are of
    this.historyNote = null; // of the past: why the record may be incomplete
    this.problem = null; // the problem document, if there is nothing to show
    this.version = null; // the newest { as_of, version, stale, provisional }
    this.link = null;
    this.account = null;
    this.confirmedAt = null;
    this.mark = null; // the account marked to market; null without market data
    this.markedPositions = null; // the price of each position; null without market data
    this.positions = null; // null: unknown
    this.orders = null; // id → order; null: unknown
    this.gaps = []; // newest first
    this.fills = []; // received, newest first
    this.earlierFills = new Map(); // id of an order that filled before → all its executions as one fill
    this.changedOrders = new Set(); // ids of orders that changed while a request was under way
    this.parents = new Map(); // id of a leg → id of its parent
    this.families = new Set(); // ids of orders whose legs are known
    this.isLegUnknown = false; // a leg or a parent arrived whose relatives are not known
    this.isComplete = false;
  }

  /** Apply an event of the stream. */
  handleEvent(name, data) {
    switch (name) {
      case "link": this.#setVersion(data); this.link = data.link; break;
      case "account": this.#setVersion(data); this.account = data.account; this.confirmedAt = data.confirmed_at; break;
      case "mark": this.mark = data.mark; break;
      case "positions": this.#setVersion(data); this.positions = data.positions; break;
      case "orders": this.#setVersion(data); this.#setOrders(data); break;
      case "order": this.#applyUpdate(data); break;
      case "gap": this.#setGap(data); break;
      case "gone": this.problem = { title: "This account was removed from the configuration", remedy: "" }; break;
      case "ready": this.isComplete = true; break;
    }
  }

  /** Fetch what no snapshot has: orders that are final. */
  async fetchDashboard(signal = null) {
    this.changedOrders.clear();
    const response = await this.#request("dashboard", { closed_orders: 100 }, signal);
    const document = await response.json();
    this.valuedAt = response.headers.get("X-Realtime-Valued-At");
    this.historyNote = response.headers.get("X-Realtime-History");
    if (!response.ok) {
      this.problem = document;
      return;
    }
    this.problem = null;
    if (!this.version || document.version >= this.version.version) {
      this.#setVersion(document);
      Object.assign(this, { link: document.link, account: document.account, positions: document.positions });
    }
    this.mark ??= document.equity_mark ?? null;
    if (document.orders) this.#merge(document.orders);
  }

  /** Fetch which orders are legs of which: no event and no list of single orders has that. */
  async fetchLegs(signal = null) {
    this.isLegUnknown = false;
    const response = await this.#request("orders", { nested: "true", limit: MAX_ORDERS }, signal);
    if (!response.ok) return;
    for (const parent of await response.json()) this.#setLegs(parent);
  }

  /**
   * Orders, open ones first, then newest first, each leg below its parent: `{ order, parent, isOpen }`,
   * where `parent` is null for an order of its own, and `isOpen` is that of the whole group.
   */
  orderTree() {
    if (!this.orders) return null;
    const legs = new Map();
    const roots = [];
    for (const order of this.orders.values()) {
      const parent = this.orders.get(this.parents.get(order.id));
      if (!parent) roots.push(order);
      else legs.set(parent.id, [...(legs.get(parent.id) ?? []), order]);
    }
    const groups = roots.map((order) => {
      const group = [order, ...(legs.get(order.id) ?? []).sort((a, b) => (a.created_at < b.created_at ? -1 : 1))];
      return { group, isOpen: group.some((each) => !isFinal(each)) };
    });
    groups.sort((a, b) => b.isOpen - a.isOpen || (a.group[0].submitted_at < b.group[0].submitted_at ? 1 : -1));
    return groups.flatMap(({ group, isOpen }) =>
      group.map((order, index) => ({ order, parent: index ? group[0] : null, isOpen })));
  }

  /** Fills, newest first; of an order that filled before the page was opened all executions as one. */
  allFills() {
    const received = new Set(this.fills.map(({ order }) => order.id));
    const earlier = [...(this.orders?.values() ?? [])].filter((order) => order.filled_at && order.symbol && !received.has(order.id));
    return [...this.fills, ...earlier.map((order) => this.#asOneFill(order))]
      .sort((a, b) => Date.parse(b.timestamp ?? b.at) - Date.parse(a.timestamp ?? a.at));
  }

  money(name) {
    return parseDecimal(this.account?.[name]);
  }

  #request(route, params, signal) {
    const query = new URLSearchParams(this.asOf === null ? params : { ...params, as_of: formatMoment(this.asOf) });
    const limit = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
    return fetch(`realtime/${route}/${encodeURIComponent(this.label)}?${query}`, { signal: signal ? AbortSignal.any([signal, limit]) : limit });
  }

  #asOneFill(order) {
    const fill = this.earlierFills.get(order.id) ?? { event: "fill", account_id: this.label, order, qty: order.filled_qty, price: order.filled_avg_price, timestamp: order.filled_at };
    this.earlierFills.set(order.id, fill);
    return fill;
  }

  #setVersion({ as_of, version, stale, provisional }) {
    this.version = { as_of, version, stale, provisional };
  }

  #setOrders({ complete, orders, removed }) {
    if (orders === null) return;
    if (complete) {
      const open = new Set(orders.map(({ id }) => id));
      for (const [id, order] of this.orders ?? []) if (!isFinal(order) && !open.has(id)) this.orders.delete(id);
    }
    for (const id of removed) this.orders?.delete(id);
    for (const order of orders) this.#setOrder(order);
    this.orders ??= new Map();
  }

  #applyUpdate(update) {
    this.#setOrder(update.order);
    for (const leg of update.order.legs ?? []) this.#setOrder(leg);
    if (update.event !== "fill" && update.event !== "partial_fill") return;
    if (this.fills.some(({ execution_id: id }) => id && id === update.execution_id)) return;
    this.fills.unshift(update);
    this.fills.length = Math.min(this.fills.length, MAX_FILLS);
  }

  #setOrder(order) {
    this.orders ??= new Map();
    this.orders.set(order.id, order);
    this.#setLegs(order);
    if (isMultiLeg(order) && !this.parents.has(order.id) && !this.families.has(order.id)) this.isLegUnknown = true;
    this.changedOrders.add(order.id);
    if (this.orders.size <= MAX_ORDERS) return;
    const oldest = [...this.orders.values()].filter(isFinal).sort((a, b) => (a.submitted_at < b.submitted_at ? -1 : 1));
    for (const { id } of oldest.slice(0, this.orders.size - MAX_ORDERS)) {
      this.orders.delete(id);
      this.earlierFills.delete(id);
    }
  }

  #merge(orders) {
    this.orders ??= new Map();
    for (const order of orders) if (!this.changedOrders.has(order.id)) this.orders.set(order.id, order);
  }

  #setLegs(parent) {
    if (parent.legs?.length) this.families.add(parent.id);
    for (const leg of parent.legs ?? []) {
      this.parents.set(leg.id, parent.id);
      this.orders ??= new Map();
      if (!this.orders.has(leg.id)) this.orders.set(leg.id, leg);
    }
  }

  #setGap(gap) {
    const open = this.gaps.find(({ to, from }) => to === null && from === gap.from);
    if (open) this.gaps.splice(this.gaps.indexOf(open), 1);
    this.gaps.unshift(gap);
    this.gaps.length = Math.min(this.gaps.length, MAX_GAPS);
  }
}

function isMultiLeg({ order_class: kind }) {
  return Boolean(kind) && kind !== "simple";
}

/** Whether an order can no longer change. */
export function isFinal({ status }) {
  return FINAL.has(status);
}
