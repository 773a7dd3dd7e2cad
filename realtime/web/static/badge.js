// Whose money it is, said wherever figures are: PAPER, or LIVE MONEY.

import { make, mark, say } from "./dom.js";

/** A badge; `show(isPaper)` with undefined while nothing is known. */
export function badge() {
  const element = make("span", { class: "badge", hidden: true });
  const show = (isPaper) => {
    mark(element, "hidden", isPaper === undefined || isPaper === null);
    mark(element, "data-money", isPaper ? "paper" : "live");
    say(element, isPaper ? "PAPER" : "LIVE MONEY");
  };
  return { element, show };
}
