// A bar of a value against its bound, which is the mark at two thirds; the text says the same.

import { createElement, setAttribute, setText } from "./dom.js";

/** The bar, with its share in words for screen readers. */
export function createBoundBar() {
  return [createElement("span", { class: "bound-bar", "aria-hidden": "true" }, createElement("i")), createElement("span", { class: "unseen" })];
}

/** Show a value and its bound, decimal strings, in the elements of `createBoundBar`. */
export function fillBoundBar([bar, words], { value, bound }) {
  const [now, limit] = [Number(value), Number(bound)];
  const isKnown = value !== null && limit > 0;
  setAttribute(bar, "hidden", isKnown ? null : true);
  setText(words, isKnown ? `${Math.round((now / limit) * 100)}\u00a0% of the bound` : "not known");
  bar.firstChild.style.width = isKnown ? `${Math.min(1.5, now / limit) * 66.6}%` : "0";
}
