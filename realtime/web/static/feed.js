// Fills as they happen, newest first, and one fill in words.

import { arrange, make } from "./dom.js";
import { exact, spell, spellAll } from "./decimal.js";
import { clock } from "./words.js";

const SHOWN = 40;
const ONE = 10n ** 18n;

export class Feed {
  constructor({ label, quiet, withAccount = true }) {
    this.withAccount = withAccount;
    this.items = new Map();
    this.list = make("ol", { class: "feed", "aria-label": label, tabindex: "0" });
    this.quiet = make("p", { class: "nothing", text: quiet });
    this.element = make("div", { class: "feed-box" }, this.list, this.quiet);
  }

  show(fills) {
    const shown = fills.slice(0, SHOWN);
    const items = new Map();
    for (const fill of shown) items.set(fill, this.items.get(fill) ?? this.#item(fill));
    this.items = items;
    this.quiet.hidden = shown.length > 0;
    this.list.hidden = shown.length === 0;
    arrange(this.list, [...items.values()]);
  }

  #item(fill) {
    const { order } = fill;
    const side = order.side === "buy" ? "buy" : "sell";
    const worth = value(fill);
    return make(
      "li",
      {},
      make("time", { text: clock(fill.timestamp ?? fill.at), datetime: fill.timestamp ?? fill.at }),
      make("span", { class: `side ${side}`, text: side === "buy" ? "Buy" : "Sell" }),
      make(
        "span",
        { class: "what" },
        make("b", { text: `${quantity(fill.qty)} ${symbolOf(order.symbol)}` }),
        make("span", { text: ` @\u00a0${price(fill.price)}` }),
        fill.event === "partial_fill" ? make("i", { text: "partly" }) : null,
      ),
      this.withAccount
        ? make("a", { href: `#/account/${fill.account_id}`, text: fill.account_id })
        : make("span", { class: "worth", text: worth === null ? "" : spell(worth) }),
    );
  }
}

function value(fill) {
  const [qty, each] = [exact(fill.qty), exact(fill.price)];
  return qty === null || each === null ? null : ((qty * each) / ONE) * (CONTRACT.test(fill.order.symbol) ? 100n : 1n);
}

const CONTRACT = /^([A-Z.]{1,6})(\d\d)(\d\d)(\d\d)([CP])(\d{5})(\d{3})$/;
const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

/** A symbol as people say it: an option's as `NVDA 180C 15 Jan 27`. */
export function symbolOf(symbol) {
  const parts = CONTRACT.exec(symbol ?? "");
  if (!parts) return symbol ?? "legs";
  const [, root, year, month, day, kind, whole, thousandths] = parts;
  const strike = `${Number(whole)}${Number(thousandths) ? `.${thousandths.replace(/0+$/, "")}` : ""}`;
  return `${root} ${strike}${kind} ${Number(day)} ${MONTHS[Number(month) - 1] ?? month} ${year}`;
}

/** A quantity with the decimals it has, nine at most. */
export function quantity(text) {
  return spellAll(exact(text), 0, 9);
}

/** A price: two decimals, four if it has them, more below one. */
export function price(text) {
  const each = exact(text);
  if (each === null) return "–";
  return spellAll(each, 2, each < ONE && each > -ONE ? 8 : 4);
}
