// The positions and orders of an account. Open orders are never below the fold of closed ones.

import { createElement, setAttribute, setText } from "../components/dom.js";
import { Table } from "../components/table.js";
import { formatTime } from "../format/time_format.js";
import { isFinal } from "../state/account_state.js";
import { ORDER_COLUMNS, POSITION_COLUMNS, withMark } from "./account_columns.js";

const MAX_ORDERS_SHOWN = 200;
const MAX_CLOSED_SHOWN = 8; // until the button is pressed

export class AccountTables {
  constructor() {
    this.onlyOpen = false;
    this.isExpanded = false;
    this.positions = new Table(POSITION_COLUMNS, { label: "Positions" });
    this.orders = new Table(ORDER_COLUMNS, { label: "Orders" });
    this.noPositions = createElement("p", { class: "empty" });
    this.noOrders = createElement("p", { class: "empty" });
    this.positionCount = createElement("p", { class: "count" });
    this.orderCount = createElement("p", { class: "count" });
    this.more = createElement("button", { type: "button", class: "plain more", hidden: true, on: { click: () => this.#set({ isExpanded: true }) } });
    this.all = this.#createTab("All", false);
    this.open = this.#createTab("Open", true);
    this.elements = [
      createElement("section", { class: "card wide", "aria-labelledby": "positions-title" },
        createElement("div", { class: "bar" }, createElement("h2", { id: "positions-title", text: "Positions" }), this.positionCount),
        createElement("div", { class: "scroller", tabindex: "0", role: "group", "aria-labelledby": "positions-title" }, this.positions.element), this.noPositions),
      createElement("section", { class: "card wide", "aria-labelledby": "orders-title" },
        createElement("div", { class: "bar" }, createElement("h2", { id: "orders-title", text: "Orders" }), this.orderCount,
          createElement("div", { class: "chips", role: "group", "aria-label": "Which orders" }, this.all, this.open)),
        createElement("div", { class: "scroller", tabindex: "0", role: "group", "aria-labelledby": "orders-title" }, this.orders.element), this.noOrders, this.more),
    ];
  }

  /** Show an account's positions and orders, of a book if one is chosen; `reason` stands where they are unknown. */
  show(account, reason, books = null, alerts = []) {
    this.account = account;
    this.bounds = new Map(alerts.filter(({ rule, state }) => rule === "position_risk" && state === "over").map((alert) => [alert.symbol, alert]));
    this.books = books;
    this.reason = reason;
    this.#showPositions();
    this.#showOrders();
  }

  #set(choice) {
    Object.assign(this, choice);
    this.#showOrders();
  }

  #createTab(name, onlyOpen) {
    return createElement("button", { type: "button", class: "chip", text: name, on: { click: () => this.#set({ onlyOpen }) } });
  }

  #showPositions() {
    const { version, valuedAt } = this.account;
    const marks = new Map((valuedAt ? [] : (this.account.markedPositions ?? [])).map((mark) => [mark.symbol, mark]));
    const held = this.books ? this.books.filterPositions(this.account.positions) : this.account.positions;
    const positions = held?.map((position) => ({ ...withMark(position, this.books?.book ? undefined : marks.get(position.symbol)), alert: this.books?.book ? undefined : this.bounds.get(position.symbol) }));
    this.positions.show(positions ?? [], ({ symbol }) => symbol);
    setAttribute(this.positions.element.parentElement, "hidden", !positions?.length);
    setAttribute(this.noPositions, "hidden", Boolean(positions?.length));
    setText(this.noPositions, positions ? (this.books?.book ? `No positions in ${this.books.book.name}.` : "No positions.") : this.reason);
    const isProvisional = version?.provisional.includes("positions");
    const note = valuedAt ? ` · quantities exact, prices and values of ${formatTime(valuedAt)}` : marks.size ? " · at the market's prices" : isProvisional ? " · prices not confirmed since the last fill" : "";
    setText(this.positionCount, positions?.length ? `${positions.length}${note}` : "");
  }

  #showOrders() {
    const { orders, parents } = this.account;
    const tree = this.account.orderTree()?.filter(({ order }) => !this.books || this.books.hasOrder(order, orders, parents));
    const open = (tree ?? []).filter(({ isOpen }) => isOpen);
    const closed = this.onlyOpen ? [] : (tree ?? []).filter(({ isOpen }) => !isOpen);
    const shownClosed = this.isExpanded ? closed : closed.slice(0, groupEnd(closed, MAX_CLOSED_SHOWN));
    const shown = [...open, ...shownClosed].slice(0, MAX_ORDERS_SHOWN);
    this.orders.show(shown, ({ order }) => order.id);
    setAttribute(this.orders.element.parentElement, "hidden", shown.length === 0);
    setAttribute(this.noOrders, "hidden", shown.length > 0);
    setText(this.noOrders, tree ? (this.onlyOpen ? "No open orders." : "No orders.") : this.reason);
    const left = open.length + closed.length - shown.length;
    setAttribute(this.more, "hidden", left <= 0 || this.isExpanded);
    setText(this.more, `Show ${left} more closed orders`);
    const exact = this.account.asOf === null ? "" : " · exact to the event";
    setText(this.orderCount, tree?.length ? `${open.filter(({ order }) => !isFinal(order)).length} open${exact}` : "");
    setAttribute(this.all, "aria-pressed", String(!this.onlyOpen));
    setAttribute(this.open, "aria-pressed", String(this.onlyOpen));
  }
}

/** The first index at or after `count` at which a new group of parent and legs begins. */
function groupEnd(items, count) {
  let end = Math.min(count, items.length);
  while (end < items.length && items[end].parent) end += 1;
  return end;
}
