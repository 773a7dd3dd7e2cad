// The strategies inside an account: a row for each book, and a choice that filters the lists below.

import { createElement, setAttribute, setChildren, setText } from "../components/dom.js";
import { drawInterval, excludes } from "../components/interval.js";
import { Table } from "../components/table.js";
import { formatDecimal, fromNumber, parseDecimal, toneOf } from "../format/decimal.js";
import { formatQuantity, formatSymbol, shortenLabel } from "../format/instrument_format.js";
import { fetchPast } from "../state/history_reader.js";

const REFRESH_MS = 60_000;
const MAX_NAME_CHARS = 24;
const OTHER = "other";

export class BooksCard {
  /** `onChoose(book)` is called when the reader chooses one; null: all. */
  constructor(label, { book, onChoose }) {
    this.label = label;
    this.chosen = book;
    this.onChoose = onChoose;
    this.document = null;
    this.table = new Table(COLUMNS, { label: "Books" });
    this.chips = createElement("div", { class: "chips", role: "group", "aria-label": "Book" });
    this.notes = createElement("div", { class: "book-notes" });
    this.element = createElement("section", { class: "card wide books", "aria-labelledby": "books-title", hidden: true },
      createElement("div", { class: "bar" }, createElement("h2", { id: "books-title", text: "Books" }), createElement("p", { class: "count" }), this.chips),
      createElement("div", { class: "scroller", tabindex: "0", role: "group", "aria-labelledby": "books-title" }, this.table.element), this.notes);
    this.#read();
    this.timer = setInterval(() => { if (!document.hidden) this.#read(); }, REFRESH_MS);
  }

  end() {
    this.isEnded = true;
    clearInterval(this.timer);
  }

  choose(book) {
    this.chosen = book;
    this.#show();
  }

  /** The chosen book, if the account has it. */
  get book() {
    return this.document?.books.find(({ name }) => name === this.chosen) ?? null;
  }

  /** The book's positions as rows of the table of positions; null: all of the account's. */
  filterPositions(positions) {
    const { book } = this;
    if (!book || !positions) return positions;
    const prices = new Map(positions.map((position) => [position.symbol, position]));
    return book.positions.map(({ symbol, qty, avg_entry_price: average, market_value: value, unrealized_pl: open }) =>
      ({ symbol, qty, avg_entry_price: average, market_value: value, unrealized_pl: open?.amount ?? null, current_price: prices.get(symbol)?.current_price }));
  }

  /** Whether an order belongs to the chosen book; `orders`: id → order, `parents`: leg → parent. */
  hasOrder(order, orders, parents) {
    return !this.book || this.#bookOf(order, orders, parents, new Set()) === this.chosen;
  }

  #bookOf(order, orders, parents, seen) {
    const origin = orders.get(parents.get(order.id)) ?? orders.get(order.replaces);
    if (origin && !seen.has(origin.id)) return this.#bookOf(origin, orders, parents, seen.add(origin.id));
    const id = order.client_order_id ?? "";
    const fitting = this.document.books.filter(({ prefix }) => prefix && id.startsWith(prefix));
    return fitting.sort((a, b) => b.prefix.length - a.prefix.length)[0]?.name ?? OTHER;
  }

  async #read() {
    try {
      this.document = await (await fetchPast(`books/${encodeURIComponent(this.label)}`)).json();
    } catch {
      return; // Without history there are no books, and the account stands without them.
    }
    if (!this.isEnded) this.#show();
  }

  #show() {
    const { document: found } = this;
    const isDivided = Boolean(found?.books.some(({ prefix }) => prefix));
    setAttribute(this.element, "hidden", !isDivided);
    if (!isDivided) return;
    this.table.show(found.books, ({ name }) => name);
    setChildren(this.chips, [[null, "All"], ...found.books.map(({ name }) => [name, name])].map(([name, text]) => createElement("button", {
      type: "button", class: "chip", text: shortenLabel(text, MAX_NAME_CHARS), "aria-pressed": String((this.book?.name ?? null) === name), on: { click: () => { this.choose(name); this.onChoose(name); } },
    })));
    const kept = found.differences.map(({ symbol, qty, reason }) => `${formatSymbol(symbol)} differs by ${formatQuantity(qty)}: put into other${reason ? ` (${reason})` : ""}.`);
    const opposed = found.opposed.map(({ symbol, books, broker }) => `${formatSymbol(symbol)}: ${Object.entries(books).map(([name, qty]) => `${name} ${formatSigned(qty)}`).join(", ")}: the broker holds ${formatQuantity(broker)}.`);
    setChildren(this.notes, [found.balanced ? "All books together are the broker's position in every symbol." : null, ...kept, ...opposed].filter(Boolean).map((text) => createElement("p", { text })));
    setAttribute(this.notes, "data-tone", found.balanced ? null : "warn");
  }
}

const moneyColumn = (key, name) => ({
  key, name, kind: "number",
  show: (book) => formatDecimal(parseDecimal(book[key]?.amount), 2, { sign: true }),
  full: (book) => (book[key]?.amount === null ? book[key].reason : null),
  tone: (book) => toneOf(parseDecimal(book[key]?.amount)),
});

const COLUMNS = [
  { key: "book", name: "Book", kind: "head", fill: fillName },
  moneyColumn("day_pl", "Day P/L"), moneyColumn("realized_pl", "Realised"), moneyColumn("unrealized_pl", "Open P/L"),
  { key: "exposure", name: "Exposure", kind: "number", show: ({ exposure_pct: share }) => (share.value === null ? "–" : `${formatDecimal(fromNumber(share.value), 0)}\u00a0%`) },
  { key: "open_orders", name: "Orders", kind: "number", show: ({ open_orders: count }) => count.toLocaleString("en") },
  { key: "round_trips", name: "Closed", kind: "number", show: ({ round_trips: count }) => count.toLocaleString("en") },
  { key: "win_rate", name: "Win rate", kind: "estimate", fill: fillWinRate },
];

function fillName(cell, { name, prefix }) {
  if (!cell.firstChild) cell.append(createElement("span"), createElement("span", { class: "sub" }));
  setAttribute(cell.firstChild, "title", name);
  setText(cell.lastChild, prefix ? `${prefix}…` : "by hand, or without a prefix");
  return setText(cell.firstChild, shortenLabel(name, MAX_NAME_CHARS));
}

function fillWinRate(cell, { win_rate_pct: rate }) {
  const key = JSON.stringify(rate);
  if (cell.dataset.key === key) return false;
  cell.dataset.key = key;
  if (rate.value === null) return void cell.replaceChildren(createElement("span", { class: "figure", text: "–" }), createElement("small", { text: rate.reason ?? "" }));
  const interval = excludes(rate) === null ? "" : `, 95\u00a0% between ${Math.round(rate.low)} and ${Math.round(rate.high)}`;
  cell.replaceChildren(createElement("span", { class: "figure", text: `${Math.round(rate.value)}\u00a0%` }), createElement("span", { class: "unseen", text: interval }),
    drawInterval(rate, [0, 100], { zero: 50 }), createElement("small", { text: `n ${rate.n}` }));
  return false;
}

function formatSigned(qty) {
  return qty.startsWith("-") ? `−${formatQuantity(qty.slice(1))}` : `+${formatQuantity(qty)}`;
}
