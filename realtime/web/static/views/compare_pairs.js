// Which row is ahead of which: a grid of all pairs, its lower half.

import { createElement, setAttribute, setChildren } from "../components/dom.js";
import { shortenLabel } from "../format/instrument_format.js";
import { standing } from "./compare_words.js";

const MAX_NAME_CHARS = 18;
const TEXTS = { ahead: "is ahead of", behind: "is behind", open: "cannot be distinguished from" };

/** A disclosure with the grid; hidden where there are fewer than two pairs. */
export class PairGrid {
  constructor() {
    this.table = createElement("table", { class: "pairs", "aria-label": "Pairs" });
    this.legend = createElement("p", { class: "pairs-legend", "aria-hidden": "true" },
      ...Object.entries({ ahead: "the row is ahead", behind: "the row is behind", open: "cannot be distinguished" }).map(([state, text]) =>
        createElement("span", {}, createElement("i", { "data-standing": state }), text)));
    this.element = createElement("details", { class: "pairs-grid" }, createElement("summary", { class: "chip", text: "Pairs" }),
      createElement("div", { class: "scroller", tabindex: "0", role: "group", "aria-label": "Pairs" }, this.table), this.legend);
  }

  /** `keys` in the order of the table; only those that were compared get a row. */
  show(pairs, keys) {
    const compared = new Set(pairs.flatMap(({ a, b }) => [a, b]));
    const names = keys.filter((key) => compared.has(key));
    setAttribute(this.element, "hidden", names.length < 2);
    if (names.length < 2) return;
    const heads = names.slice(0, -1).map((name) => createElement("th", { scope: "col", title: name }, createElement("span", { text: shortenLabel(name, MAX_NAME_CHARS) })));
    const rows = names.slice(1).map((row, index) => createElement("tr", {},
      createElement("th", { scope: "row", text: shortenLabel(row, MAX_NAME_CHARS), title: row }),
      ...names.slice(0, -1).map((column, at) => (at > index ? createElement("td") : this.#cell(pairs, row, column)))));
    setChildren(this.table, [createElement("thead", {}, createElement("tr", {}, createElement("td"), ...heads)), createElement("tbody", {}, ...rows)]);
  }

  #cell(pairs, row, column) {
    const state = standing(pairs, row, column);
    const text = state ? `${row} ${TEXTS[state]} ${column}` : `${row} and ${column} were not compared`;
    return createElement("td", { title: text }, state ? createElement("i", { "data-standing": state }) : null, createElement("span", { class: "unseen", text }));
  }
}
