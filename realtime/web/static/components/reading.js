// The panel beside many curves: what each line is at the day that is pointed at.

import { createElement, setChildren, setText } from "./dom.js";

export class Reading {
  constructor() {
    this.title = createElement("p", { class: "reading-title" });
    this.list = createElement("ul", {});
    this.rest = createElement("p", { class: "reading-rest" });
    this.element = createElement("div", { class: "reading", "aria-live": "off" }, this.title, this.list, this.rest);
  }

  /**
   * Show a day: `lines` with `name`, `slot`, `isBenchmark`, `value` (null: no data) and `text`;
   * those without a slot are a range.
   */
  show({ title, lines, format }) {
    setText(this.title, title);
    const named = lines.filter(({ slot, isBenchmark }) => slot !== null || isBenchmark).sort((a, b) => (b.value ?? -Infinity) - (a.value ?? -Infinity));
    const others = lines.filter(({ slot, isBenchmark, value }) => slot === null && !isBenchmark && value !== null).map(({ value }) => value);
    setChildren(this.list, named.map(({ name, slot, isBenchmark, value, title: full }) => createElement("li", {},
      createElement("i", { class: isBenchmark ? "swatch dashed" : "swatch", "data-slot": slot, "aria-hidden": "true" }),
      createElement("span", { text: name, title: full }),
      createElement("b", { text: value === null ? "no data" : format(value), "data-unknown": value === null ? "yes" : null }))));
    const rest = others.length ? `${others.length} other${others.length === 1 ? "" : "s"}  ${others.length === 1 ? format(others[0]) : `${format(Math.min(...others))} … ${format(Math.max(...others))}`}` : "";
    setText(this.rest, rest);
  }
}
