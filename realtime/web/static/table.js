// The table of all accounts. Only the rows in sight exist, so a thousand cost what thirty do.

import { arrange, make, mark } from "./dom.js";
import { Row } from "./grid.js";

const BEYOND = 8; // rows drawn above and below what is in sight

export class FleetTable {
  constructor(columns, { label, open, sorted }) {
    this.columns = columns;
    this.open = open;
    this.items = [];
    this.rows = new Map();
    this.active = 0;
    this.heads = columns.map((column) => this.#head(column, sorted));
    this.above = make("tr", { class: "spacer", "aria-hidden": "true" }, make("td"));
    this.below = make("tr", { class: "spacer", "aria-hidden": "true" }, make("td"));
    this.body = make("tbody", { role: "rowgroup" });
    this.element = make(
      "table",
      { class: "grid fleet", role: "grid", "aria-label": label, "aria-readonly": "true" },
      make("thead", { role: "rowgroup" }, make("tr", { role: "row", "aria-rowindex": 1 }, ...this.heads)),
      this.body,
    );
    this.body.addEventListener("keydown", (event) => this.#key(event));
    this.body.addEventListener("click", (event) => this.#click(event));
    this.body.addEventListener("focusin", (event) => this.#focused(event));
    this.scrolled = () => this.draw();
    addEventListener("scroll", this.scrolled, { passive: true });
    addEventListener("resize", this.scrolled, { passive: true });
  }

  end() {
    removeEventListener("scroll", this.scrolled);
    removeEventListener("resize", this.scrolled);
  }

  /** Whether somebody is about to choose a row: then rows must not move under the pointer. */
  get isHeld() {
    return this.body.matches(":hover") || this.body.contains(document.activeElement);
  }

  /** Show these, in this order. */
  show(items, sort) {
    this.items = items;
    this.active = Math.min(this.active, Math.max(0, items.length - 1));
    mark(this.element, "aria-rowcount", items.length + 1);
    for (const [index, column] of this.columns.entries()) {
      const way = sort.column === column.key ? (sort.descending ? "descending" : "ascending") : "none";
      mark(this.heads[index], "aria-sort", way);
    }
    this.draw();
  }

  /** Draw what is in sight. */
  draw() {
    const height = this.#rowHeight();
    const top = -this.body.getBoundingClientRect().top;
    const first = Math.max(0, Math.floor(top / height) - BEYOND);
    const last = Math.min(this.items.length, Math.ceil((top + innerHeight) / height) + BEYOND);
    const rows = new Map();
    const items = this.items.slice(first, Math.max(first, last));
    const labels = new Set(items.map(({ label }) => label));
    const spare = [...this.rows].filter(([label]) => !labels.has(label)).map(([, row]) => row);
    for (const [index, item] of items.entries()) {
      const row = this.rows.get(item.label) ?? spare.pop() ?? new Row(this.columns, { link: true });
      row.show(item, item.label);
      this.#place(row, first + index);
      rows.set(item.label, row);
    }
    this.rows = rows;
    this.above.firstChild.style.height = `${first * height}px`;
    this.below.firstChild.style.height = `${Math.max(0, this.items.length - last) * height}px`;
    arrange(this.body, [this.above, ...[...rows.values()].map((row) => row.element), this.below]);
  }

  focus(index = this.active) {
    if (!this.items.length) return;
    this.active = Math.max(0, Math.min(index, this.items.length - 1));
    this.#bringIntoSight();
    this.draw();
    this.rows.get(this.items[this.active].label)?.element.querySelector("a")?.focus({ preventScroll: true });
  }

  #place(row, index) {
    mark(row.element, "aria-rowindex", index + 2);
    row.element.dataset.index = index;
    mark(row.element.querySelector("a"), "tabindex", index === this.active ? 0 : -1);
  }

  #rowHeight() {
    const height = parseFloat(getComputedStyle(this.element).getPropertyValue("--row"));
    return height || 44;
  }

  #bringIntoSight() {
    const height = this.#rowHeight();
    const top = this.body.getBoundingClientRect().top + scrollY + this.active * height;
    const above = 130; // the header and the column names stay in sight
    if (top < scrollY + above) scrollTo({ top: top - above });
    else if (top + height > scrollY + innerHeight - 12) scrollTo({ top: top + height - innerHeight + 12 });
  }

  #head(column, sorted) {
    const button = make("button", { type: "button", text: column.name, on: { click: () => sorted(column) } });
    return make(
      "th",
      { scope: "col", role: "columnheader", class: `${column.key} ${column.kind ?? "text"}`, "aria-sort": "none" },
      button,
    );
  }

  #key(event) {
    const page = Math.max(1, Math.floor(innerHeight / this.#rowHeight()) - 4);
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity }[event.key];
    if (step === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    this.focus(Number.isFinite(step) ? this.active + step : step < 0 ? 0 : this.items.length - 1);
  }

  #click(event) {
    const row = event.target.closest("tr[data-index]");
    if (row && !event.target.closest("a") && !getSelection().toString()) this.open(this.items[row.dataset.index]);
  }

  #focused(event) {
    const row = event.target.closest("tr[data-index]");
    if (!row) return;
    this.active = Number(row.dataset.index);
    for (const link of this.body.querySelectorAll('a[tabindex="0"]')) link.setAttribute("tabindex", "-1");
    event.target.setAttribute("tabindex", "0");
  }
}
