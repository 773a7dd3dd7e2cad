// Tables whose rows stay the same elements while their contents change.

import { createElement, flash, setAttribute, setChildren, setShortText, setText } from "./dom.js";

/**
 * A column has `key` and `name`, and `show(item, layout) → text`, or `fill(cell, item, layout)` for
 * cells that are more than text. Optional: `full(item)` (the text in full, for the title),
 * `tone(item)`, `worth(item)` (a change of it lights the cell), `at(item)` (the time of the value),
 * `kind`: `number`, `text` or `head`.
 */
export class Row {
  constructor(columns, { isGrid = false } = {}) {
    this.columns = columns;
    this.worths = columns.map(() => undefined);
    this.key = null;
    this.cells = columns.map((column) =>
      createElement(column.kind === "head" ? "th" : "td", {
        class: `${column.key} ${column.kind ?? "text"}`,
        role: column.kind === "head" ? "rowheader" : isGrid ? "gridcell" : "cell",
        scope: column.kind === "head" ? "row" : null,
      }),
    );
    this.element = createElement("tr", { role: "row" }, ...this.cells);
  }

  /** Show an item; a cell whose value changed while the row showed the same item lights up. */
  show(item, key, layout = {}) {
    const isSame = key === this.key;
    this.key = key;
    for (const [index, column] of this.columns.entries()) {
      const cell = this.cells[index];
      const changed = column.fill ? column.fill(cell, item, layout) : this.#showText(cell, column, item, layout);
      if (column.tone) setAttribute(cell, "data-tone", column.tone(item));
      if (column.at) cell.dataset.at = column.at(item) ?? "";
      if (!column.worth) continue;
      const worth = column.worth(item);
      const before = this.worths[index];
      this.worths[index] = worth;
      if (isSame && changed && before !== undefined && before !== null && worth !== null && worth !== before) flash(cell);
    }
  }

  #showText(cell, column, item, layout) {
    const text = column.show(item, layout);
    return column.full ? setShortText(cell, text, String(column.full(item) ?? text)) : setText(cell, text);
  }
}

/** A table of at most some hundred rows, drawn whole. */
export class Table {
  constructor(columns, { label }) {
    this.columns = columns;
    this.rows = new Map();
    this.body = createElement("tbody", { role: "rowgroup" });
    const heads = columns.map((column) =>
      createElement("th", { scope: "col", role: "columnheader", class: `${column.key} ${column.kind ?? "text"}`, text: column.name }),
    );
    this.element = createElement("table", { class: "grid", role: "table", "aria-label": label },
      createElement("thead", { role: "rowgroup" }, createElement("tr", { role: "row" }, ...heads)), this.body);
  }

  show(items, keyOf) {
    const rows = new Map();
    for (const item of items) {
      const key = keyOf(item);
      const row = this.rows.get(key) ?? new Row(this.columns);
      row.show(item, key);
      rows.set(key, row);
    }
    this.rows = rows;
    setChildren(this.body, [...rows.values()].map((row) => row.element));
  }
}
