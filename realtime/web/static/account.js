// What this page knows of one account: figures, positions, orders, as the stream and one reading tell.

import { exact } from "./decimal.js";

const ORDERS_KEPT = 300;
const FINAL = new Set(["filled", "canceled", "expired", "rejected", "replaced"]);
const FILLS_KEPT = 40;

export class Account {
  constructor(label) {
    this.label = label;
    this.problem = null; // why there is nothing to show: the daemon's own words
    this.stand = null; // the newest { as_of, version, stale, provisional }
    this.link = null;
    this.account = null;
    this.accountAt = null; // when figures were last read
    this.positions = null; // null: unknown
    this.orders = null; // id → order; null: unknown
    this.gaps = []; // newest first
    this.fills = []; // heard, newest first
    this.before = new Map(); // id of an order that filled before → its whole as one fill
    this.touched = new Set(); // orders heard of while a reading was under way
    this.isComplete = false;
  }

  /** Take an event of the stream. */
  hear(name, data) {
    switch (name) {
      case "link": this.#stand(data); this.link = data.link; break;
      case "account": this.#stand(data); this.account = data.account; this.accountAt = data.confirmed_at; break;
      case "positions": this.#stand(data); this.positions = data.positions; break;
      case "orders": this.#stand(data); this.#orders(data); break;
      case "order": this.#order(data); break;
      case "gap": this.#gap(data); break;
      case "gone": this.problem = { title: "This account was taken out of the configuration", remedy: "" }; break;
      case "ready": this.isComplete = true; break;
    }
  }

  /** Read what no snapshot tells: orders that are final. Once the stream is complete. */
  async read() {
    this.touched.clear();
    const answer = await fetch(`realtime/dashboard/${encodeURIComponent(this.label)}?closed_orders=100`, { signal: AbortSignal.timeout(8000) });
    const document = await answer.json();
    if (!answer.ok) {
      this.problem = document;
      return;
    }
    this.problem = null;
    if (!this.stand || document.version >= this.stand.version) {
      this.#stand(document);
      Object.assign(this, { link: document.link, account: document.account, positions: document.positions });
    }
    if (document.orders) this.#merge(document.orders);
  }

  /** Orders, those that work first, then newest first. */
  listed() {
    if (!this.orders) return null;
    return [...this.orders.values()].sort((a, b) => isFinal(a) - isFinal(b) || (a.submitted_at < b.submitted_at ? 1 : -1));
  }

  /** Fills, newest first; of orders that filled before anybody listened, all executions as one. */
  filled() {
    const heard = new Set(this.fills.map(({ order }) => order.id));
    const whole = [...(this.orders?.values() ?? [])].filter((order) => order.filled_at && order.symbol && !heard.has(order.id));
    return [...this.fills, ...whole.map((order) => this.#whole(order))]
      .sort((a, b) => Date.parse(b.timestamp ?? b.at) - Date.parse(a.timestamp ?? a.at));
  }

  money(name) {
    return exact(this.account?.[name]);
  }

  #whole(order) {
    const known = this.before.get(order.id) ?? { event: "fill", account_id: this.label, order, qty: order.filled_qty, price: order.filled_avg_price, timestamp: order.filled_at };
    this.before.set(order.id, known);
    return known;
  }

  #stand({ as_of, version, stale, provisional }) {
    this.stand = { as_of, version, stale, provisional };
  }

  #orders({ complete, orders, removed }) {
    if (orders === null) return;
    if (complete) {
      const working = new Set(orders.map(({ id }) => id));
      for (const [id, order] of this.orders ?? []) if (!isFinal(order) && !working.has(id)) this.orders.delete(id);
    }
    for (const id of removed) this.orders?.delete(id);
    for (const order of orders) this.#put(order);
    this.orders ??= new Map();
  }

  #order(update) {
    this.#put(update.order);
    for (const leg of update.order.legs ?? []) this.#put(leg);
    if (update.event !== "fill" && update.event !== "partial_fill") return;
    if (this.fills.some(({ execution_id: id }) => id && id === update.execution_id)) return;
    this.fills.unshift(update);
    this.fills.length = Math.min(this.fills.length, FILLS_KEPT);
  }

  #put(order) {
    this.orders ??= new Map();
    this.orders.set(order.id, order);
    this.touched.add(order.id);
    if (this.orders.size <= ORDERS_KEPT) return;
    const oldest = [...this.orders.values()].filter(isFinal).sort((a, b) => (a.submitted_at < b.submitted_at ? -1 : 1));
    for (const { id } of oldest.slice(0, this.orders.size - ORDERS_KEPT)) {
      this.orders.delete(id);
      this.before.delete(id);
    }
  }

  #merge(orders) {
    this.orders ??= new Map();
    for (const order of orders) if (!this.touched.has(order.id)) this.orders.set(order.id, order);
  }

  #gap(gap) {
    const open = this.gaps.find(({ to, from }) => to === null && from === gap.from);
    if (open) this.gaps.splice(this.gaps.indexOf(open), 1);
    this.gaps.unshift(gap);
    this.gaps.length = Math.min(this.gaps.length, 40);
  }
}

export function isFinal({ status }) {
  return FINAL.has(status);
}
