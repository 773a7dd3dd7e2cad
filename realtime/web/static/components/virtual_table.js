// The table of all accounts. Only rows on the screen exist, so a thousand cost as much as thirty.

import { fitColumns, fitPhone } from "./column_layout.js";
import { createElement, setAttribute, setChildren } from "./dom.js";
import { Row } from "./table.js";

const OVERSCAN_ROWS = 8; // above and below those on the screen
const STICKY_PX = 130; // header and column names
const PHONE = matchMedia("(max-width: 760px)");

export class VirtualTable {
  constructor(columns, { label, open, sortBy, onVisibleRows = () => {} }) {
    this.columns = columns;
    this.open = open;
    this.onVisibleRows = onVisibleRows;
    this.items = [];
    this.rows = new Map();
    this.active = 0;
    this.asOf = null; // the moment that the items are of; null is now
    this.layout = { keys: columns.map(({ key }) => key), isCompact: false, labelChars: 24 };
    this.heads = columns.map((column) => this.#createHead(column, sortBy));
    this.cols = columns.map(({ key }) => createElement("col", { "data-key": key }));
    this.above = createElement("tr", { class: "spacer", "aria-hidden": "true" }, createElement("td"));
    this.below = createElement("tr", { class: "spacer", "aria-hidden": "true" }, createElement("td"));
    this.body = createElement("tbody", { role: "rowgroup" });
    this.element = createElement(
      "table",
      { class: "grid fleet", role: "grid", "aria-label": label, "aria-readonly": "true" },
      createElement("colgroup", {}, ...this.cols),
      createElement("thead", { role: "rowgroup" }, createElement("tr", { role: "row", "aria-rowindex": 1 }, ...this.heads)),
      this.body,
    );
    this.body.addEventListener("keydown", (event) => this.#handleKey(event));
    this.body.addEventListener("click", (event) => this.#handleClick(event));
    this.body.addEventListener("focusin", (event) => this.#handleFocus(event));
    this.redraw = () => this.draw();
    this.resize = () => { this.#fit(); this.draw(); };
    addEventListener("scroll", this.redraw, { passive: true });
    addEventListener("resize", this.resize, { passive: true });
  }

  end() {
    removeEventListener("scroll", this.redraw);
    removeEventListener("resize", this.resize);
  }

  /** Whether pointer or focus is in the rows: then they must not move. */
  get isHeld() {
    return this.body.matches(":hover") || this.body.contains(document.activeElement);
  }

  /** Labels of the rows that are drawn. */
  get visibleLabels() {
    return [...this.rows.keys()];
  }

  /** The label of the row that has, or last had, the focus. */
  get activeLabel() {
    return this.items[this.active]?.label ?? null;
  }

  /** Show these, in this order. */
  show(items, sort) {
    const label = this.activeLabel;
    this.items = items;
    const index = label === null ? -1 : items.findIndex((item) => item.label === label);
    this.active = index >= 0 ? index : Math.min(this.active, Math.max(0, items.length - 1));
    setAttribute(this.element, "aria-rowcount", items.length + 1);
    for (const [index, column] of this.columns.entries()) {
      const direction = sort.column === column.key ? (sort.descending ? "descending" : "ascending") : "none";
      setAttribute(this.heads[index], "aria-sort", direction);
    }
    this.draw();
  }

  /** Take the longest value of each column (key → characters), and which columns are wanted. */
  setExtents(extents, wanted) {
    this.extents = extents;
    this.wanted = wanted;
    this.#fit();
  }

  /** Draw the rows on the screen. */
  draw() {
    const height = this.#rowHeight();
    const top = -this.body.getBoundingClientRect().top;
    const first = Math.max(0, Math.floor(top / height) - OVERSCAN_ROWS);
    const last = Math.min(this.items.length, Math.ceil((top + innerHeight) / height) + OVERSCAN_ROWS);
    const rows = new Map();
    const items = this.items.slice(first, Math.max(first, last));
    const labels = new Set(items.map(({ label }) => label));
    const spare = [...this.rows].filter(([label]) => !labels.has(label)).map(([, row]) => row);
    for (const [index, item] of items.entries()) {
      const row = this.rows.get(item.label) ?? spare.pop() ?? new Row(this.columns, { isGrid: true });
      row.show(item, item.label, { ...this.layout, asOf: this.asOf });
      this.#place(row, first + index);
      rows.set(item.label, row);
    }
    this.rows = rows;
    this.above.firstChild.style.height = `${first * height}px`;
    this.below.firstChild.style.height = `${Math.max(0, this.items.length - last) * height}px`;
    setChildren(this.body, [this.above, ...[...rows.values()].map((row) => row.element), this.below]);
    this.onVisibleRows(this.visibleLabels);
  }

  focus(index = this.active) {
    if (!this.items.length) return;
    this.active = Math.max(0, Math.min(index, this.items.length - 1));
    this.#scrollToActive();
    this.draw();
    this.rows.get(this.items[this.active].label)?.element.querySelector("a")?.focus({ preventScroll: true });
  }

  /** Focus the row of an account; whether there is one. */
  focusLabel(label) {
    const index = this.items.findIndex((item) => item.label === label);
    if (index >= 0) this.focus(index);
    return index >= 0;
  }

  /** Choose the columns that fit. */
  #fit() {
    const widthPx = this.element.parentElement?.clientWidth;
    if (!this.extents || !widthPx) return;
    const charPx = this.#charWidth();
    if (PHONE.matches) {
      this.layout = { ...fitPhone(this.extents.equity ?? 1, { widthPx, charPx }), keys: this.columns.map(({ key }) => key) };
    } else {
      const columns = this.columns
        .filter(({ key, rank }) => rank === 0 || this.wanted.has(key))
        .map(({ key, name, rank, isMoney }) => ({ key, rank, isMoney, chars: this.extents[key] ?? 1, headPx: (name.length + 2) * charPx * 0.86 }));
      this.layout = fitColumns(columns, { widthPx, charPx });
    }
    for (const [index, { key }] of this.columns.entries()) {
      const isShown = this.layout.keys.includes(key);
      this.cols[index].style.width = this.layout.widths?.[key] ? `${this.layout.widths[key]}px` : "";
      setAttribute(this.cols[index], "hidden", !isShown);
      setAttribute(this.heads[index], "hidden", !isShown);
    }
    this.layout.hidden = new Set(this.columns.map(({ key }) => key).filter((key) => !this.layout.keys.includes(key)));
  }

  /** Width of a digit, which is the widest character of a formatted number. */
  #charWidth() {
    const context = (this.canvas ??= document.createElement("canvas")).getContext("2d");
    const style = getComputedStyle(this.element);
    context.font = `600 ${style.fontSize} ${style.fontFamily}`;
    return context.measureText("0000000000").width / 10;
  }

  #place(row, index) {
    setAttribute(row.element, "aria-rowindex", index + 2);
    row.element.dataset.index = index;
    for (const [at, { key }] of this.columns.entries()) setAttribute(row.cells[at], "hidden", Boolean(this.layout.hidden?.has(key)));
    setAttribute(row.element.querySelector("a"), "tabindex", index === this.active ? 0 : -1);
  }

  #rowHeight() {
    return parseFloat(getComputedStyle(this.element).getPropertyValue("--row")) || 44;
  }

  #scrollToActive() {
    const height = this.#rowHeight();
    const top = this.body.getBoundingClientRect().top + scrollY + this.active * height;
    if (top < scrollY + STICKY_PX) scrollTo({ top: top - STICKY_PX });
    else if (top + height > scrollY + innerHeight - 12) scrollTo({ top: top + height - innerHeight + 12 });
  }

  #createHead(column, sortBy) {
    const button = createElement("button", { type: "button", text: column.name, title: column.about, on: { click: () => sortBy(column) } });
    return createElement(
      "th",
      { scope: "col", role: "columnheader", class: `${column.key} ${column.kind ?? "text"}`, "aria-sort": "none" },
      button,
    );
  }

  #handleKey(event) {
    const page = Math.max(1, Math.floor(innerHeight / this.#rowHeight()) - 4);
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity }[event.key];
    if (step === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    this.focus(Number.isFinite(step) ? this.active + step : step < 0 ? 0 : this.items.length - 1);
  }

  #handleClick(event) {
    const row = event.target.closest("tr[data-index]");
    if (row && !event.target.closest("a") && !getSelection().toString()) this.open(this.items[row.dataset.index]);
  }

  #handleFocus(event) {
    const row = event.target.closest("tr[data-index]");
    if (!row) return;
    this.active = Number(row.dataset.index);
    for (const link of this.body.querySelectorAll('a[tabindex="0"]')) link.setAttribute("tabindex", "-1");
    event.target.setAttribute("tabindex", "0");
  }
}
