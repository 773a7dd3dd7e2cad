// One number with its name, what belongs beside it, and its age.

import { createElement, flash, setAttribute, setShortText, setText } from "./dom.js";
import { formatCompact, formatDecimal } from "../format/decimal.js";
import { formatAgo, formatTime } from "../format/time_format.js";

const MAX_CHARS = 15; // of a number in the row below the curve; the large ones are never shortened

/** An entry of a `<dl>`. */
export class Stat {
  constructor(name, { isLarge = false } = {}) {
    this.isLarge = isLarge;
    this.name = createElement("dt", { text: name });
    this.value = createElement("span", { class: "value", text: "–" });
    this.beside = createElement("span", { class: "beside" });
    this.note = createElement("span", { class: "note" });
    this.age = createElement("span", { class: "age" });
    this.element = createElement(
      "div", { class: isLarge ? "stat large" : "stat" }, this.name,
      createElement("dd", {}, this.value, this.beside, this.note, this.age),
    );
  }

  /** Show money, whole or in a larger unit; unknown is `–` with the reason. */
  showMoney(amount, { currency = "", sign = false, reason = "not known yet", isWhole = false, ...rest } = {}) {
    const full = formatDecimal(amount, 2, { currency, sign });
    const text = this.isLarge || isWhole || full.length <= MAX_CHARS ? full : formatCompact(amount, { currency, sign });
    this.#show(text, full, amount === null ? { ...rest, reason } : rest);
    this.element.style.setProperty("--chars", text.length);
  }

  /** Show a count; null is unknown. */
  showCount(count, { reason = "not known yet", ...rest } = {}) {
    const text = count === null ? "–" : count.toLocaleString("en");
    this.#show(text, text, count === null ? { ...rest, reason } : rest);
  }

  #show(text, full, { tone, beside = "", besideTone = null, note = "", noteTone = null, at = null, age = "", reason = null, isQuiet = false }) {
    const before = this.value.textContent;
    if (setShortText(this.value, text, full) && before !== "–" && !this.isLarge && !isQuiet) flash(this.value);
    if (reason) setAttribute(this.value, "title", reason);
    setAttribute(this.value, "data-tone", tone);
    setText(this.beside, beside);
    setAttribute(this.beside, "data-tone", besideTone);
    setText(this.note, note);
    setAttribute(this.note, "data-tone", noteTone);
    if (at) this.element.dataset.at = at;
    else delete this.element.dataset.at;
    setText(this.age, at ? formatAgo(at) : age);
  }
}

/** Show on hover how old a number is. */
export function showAgesOnHover(root, note) {
  root.addEventListener("pointerover", (event) => {
    const target = event.target.closest?.("[data-at]");
    if (!target?.dataset.at || target.querySelector("[title]") || target.dataset.full) return;
    target.title = `as of ${formatTime(target.dataset.at)}, ${formatAgo(target.dataset.at)}${note()}`;
  });
}
