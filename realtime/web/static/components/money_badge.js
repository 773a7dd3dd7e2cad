// The badge of the kind of money: PAPER or REAL MONEY.

import { createElement, setAttribute, setText } from "./dom.js";

/** A badge; `show(isPaper, count)`, hidden while the kind is unknown. */
export function createMoneyBadge() {
  const element = createElement("span", { class: "badge", hidden: true });
  const show = (isPaper, count = null) => {
    const isKnown = isPaper === true || isPaper === false;
    setAttribute(element, "hidden", !isKnown);
    setAttribute(element, "data-money", isPaper ? "paper" : "real");
    setText(element, isKnown ? [isPaper ? "PAPER" : "REAL MONEY", count?.toLocaleString("en")].filter(Boolean).join(" ") : "");
  };
  return { element, show };
}
