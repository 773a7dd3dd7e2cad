// Fills, newest first.

import { formatAccountAddress } from "../address.js";
import { createElement, setChildren, setText } from "./dom.js";
import { formatFitting } from "../format/decimal.js";
import { fillValue, formatPrice, formatQuantity, formatSymbol, shortenLabel } from "../format/instrument_format.js";
import { formatTime } from "../format/time_format.js";

const MAX_SHOWN = 40;
const MAX_LABEL_CHARS = 14;
const MAX_VALUE_CHARS = 12;

export class FillList {
  constructor({ label, withAccount = true }) {
    this.withAccount = withAccount;
    this.items = new Map();
    this.list = createElement("ol", { class: "fill-list", "aria-label": label, tabindex: "0" });
    this.empty = createElement("p", { class: "empty" });
    this.element = createElement("div", { class: "fill-box" }, this.list, this.empty);
  }

  /** Show fills; `reason` stands in their place if there are none. */
  show(fills, reason) {
    const shown = fills.slice(0, MAX_SHOWN);
    const items = new Map();
    for (const fill of shown) items.set(fill, this.items.get(fill) ?? this.#createItem(fill));
    this.items = items;
    this.empty.hidden = shown.length > 0;
    this.list.hidden = shown.length === 0;
    setText(this.empty, reason);
    setChildren(this.list, [...items.values()]);
  }

  #createItem(fill) {
    const { order } = fill;
    const at = fill.timestamp ?? fill.at;
    return createElement(
      "li", {},
      createElement("time", { text: formatTime(at), datetime: at }),
      createElement("span", { class: "side", text: order.side === "buy" ? "Buy" : "Sell" }),
      createElement(
        "span", { class: "what" },
        createElement("b", { text: `${formatQuantity(fill.qty)} ${formatSymbol(order.symbol)}` }),
        createElement("span", { text: ` @\u00a0${formatPrice(fill.price)}` }),
        fill.event === "partial_fill" ? createElement("i", { text: "partial" }) : null,
      ),
      this.withAccount
        ? createElement("a", { href: formatAccountAddress(fill.account_id, { asOf: fill.asOf ?? null }), title: fill.account_id, text: shortenLabel(fill.account_id, MAX_LABEL_CHARS) })
        : createElement("span", { class: "worth", text: fillValue(fill) === null ? "" : formatFitting(fillValue(fill), MAX_VALUE_CHARS) }),
    );
  }
}
