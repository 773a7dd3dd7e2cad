// One figure with its name, its tone and its age.

import { glow, make, mark, say } from "./dom.js";
import { signOf } from "./decimal.js";
import { ago, clock } from "./words.js";

/** A figure in a `<dl>`; it glows when its worth has changed. */
export class Figure {
  constructor(name, { big = false } = {}) {
    this.value = make("span", { class: "value", text: "–" });
    this.beside = make("span", { class: "beside" });
    this.age = make("span", { class: "age" });
    this.element = make(
      "div",
      { class: big ? "figure big" : "figure" },
      make("dt", { text: name }),
      make("dd", {}, this.value, this.beside, this.age),
    );
  }

  show(text, { worth, tone, beside = "", besideTone = null, at = null } = {}) {
    const changed = say(this.value, text);
    if (changed && this.worth !== undefined && this.worth !== null && worth !== undefined && worth !== null) {
      const turn = worth > this.worth ? 1 : worth < this.worth ? -1 : 0;
      if (turn) glow(this.value, turn);
    }
    this.worth = worth;
    mark(this.value, "data-tone", tone);
    say(this.beside, beside);
    mark(this.beside, "data-tone", besideTone);
    this.at = at;
    if (at) this.element.dataset.at = at;
    this.tick();
  }

  /** Tell the age anew. */
  tick() {
    say(this.age, this.at ? ago(this.at) : "");
  }
}

export function toneOf(value) {
  return ["loss", null, "gain"][signOf(value) + 1];
}

/** Tell on hover or focus how old what is pointed at is. */
export function tellAges(root, note) {
  root.addEventListener("pointerover", (event) => {
    const figure = event.target.closest?.("[data-at]");
    if (figure?.dataset.at) figure.title = `changed ${clock(figure.dataset.at)}, ${ago(figure.dataset.at)}${note()}`;
  });
}
