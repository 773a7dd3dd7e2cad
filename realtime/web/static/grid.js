// Tables whose rows stay the same elements while their figures change.

import { arrange, flash, make, mark, say } from "./dom.js";

/**
 * A column: `key`, `name`, `show(item) → text`; if it has one, `tone(item)`, `worth(item)` (a BigInt
 * or number whose change makes the cell flash; in colours of gain and loss if `isResult`), `at(item)` (since when the figure is so),
 * `fill(cell, item)` for cells that are more than text. `kind`: `number`, `text` or `head`.
 */
export class Row {
  constructor(columns, { link = null } = {}) {
    this.columns = columns;
    this.worths = columns.map(() => undefined);
    this.key = null;
    this.cells = columns.map((column) =>
      make(column.kind === "head" ? "th" : "td", {
        class: `${column.key} ${column.kind ?? "text"}`,
        role: column.kind === "head" ? "rowheader" : link ? "gridcell" : "cell",
        scope: column.kind === "head" ? "row" : null,
        "data-name": column.name,
      }),
    );
    this.element = make("tr", { role: "row" }, ...this.cells);
  }

  /** Show an item; a figure that changed while the row showed the same item flashes. */
  show(item, key) {
    const isSame = key === this.key;
    this.key = key;
    for (const [index, column] of this.columns.entries()) {
      const cell = this.cells[index];
      const changed = column.fill ? column.fill(cell, item) : say(cell, column.show(item));
      if (column.tone) mark(cell, "data-tone", column.tone(item));
      if (column.at) cell.dataset.at = column.at(item) ?? "";
      if (!column.worth) continue;
      const worth = column.worth(item);
      const before = this.worths[index];
      this.worths[index] = worth;
      if (isSame && changed && before !== undefined && before !== null && worth !== null && worth !== before) {
        flash(cell, column.isResult ? (worth > before ? 1 : -1) : 0);
      }
    }
  }
}

/** A table of a hundred rows at most, drawn whole. */
export class Grid {
  constructor(columns, { label }) {
    this.columns = columns;
    this.rows = new Map();
    this.body = make("tbody", { role: "rowgroup" });
    const heads = columns.map((column) =>
      make("th", { scope: "col", role: "columnheader", class: `${column.key} ${column.kind ?? "text"}`, text: column.name }),
    );
    this.element = make("table", { class: "grid", role: "table", "aria-label": label }, make("thead", { role: "rowgroup" }, make("tr", { role: "row" }, ...heads)), this.body);
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
    arrange(this.body, [...rows.values()].map((row) => row.element));
  }
}
