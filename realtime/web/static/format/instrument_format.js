// Symbols, quantities, prices and labels as text.

import { formatTrimmed, parseDecimal } from "./decimal.js";

const ONE = 10n ** 18n;
const OPTION = /^([A-Z.]{1,6})(\d\d)(\d\d)(\d\d)([CP])(\d{5})(\d{3})$/;
const OPTION_MULTIPLIER = 100n;
const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
const MAX_LABEL_CHARS = 24;

/** A symbol for reading: an option's as `NVDA 180C 15 Jan 27`. */
export function formatSymbol(symbol) {
  const parts = OPTION.exec(symbol ?? "");
  if (!parts) return symbol ?? "–";
  const [, root, year, month, day, kind, whole, thousandths] = parts;
  const strike = `${Number(whole)}${Number(thousandths) ? `.${thousandths.replace(/0+$/, "")}` : ""}`;
  return `${root} ${strike}${kind} ${Number(day)} ${MONTHS[Number(month) - 1] ?? month} ${year}`;
}

/** A quantity with the decimals it has, nine at most. */
export function formatQuantity(text) {
  return formatTrimmed(parseDecimal(text), 0, 9);
}

/** A price: two decimals, four if it has them, eight below one. */
export function formatPrice(text) {
  const value = parseDecimal(text);
  if (value === null) return "–";
  return formatTrimmed(value, 2, value < ONE && value > -ONE ? 8 : 4);
}

/** The money of a fill; null if quantity or price is unknown. */
export function fillValue({ qty, price, order }) {
  const [amount, each] = [parseDecimal(qty), parseDecimal(price)];
  if (amount === null || each === null) return null;
  return ((amount * each) / ONE) * (OPTION.test(order.symbol) ? OPTION_MULTIPLIER : 1n);
}

/** A name cut in the middle, so that both ends stay: `momentum_cr…ced_v2_2026`. */
export function shortenLabel(label, maxChars = MAX_LABEL_CHARS) {
  if (label.length <= maxChars) return label;
  const end = Math.floor((maxChars - 1) / 2);
  return `${label.slice(0, maxChars - 1 - end)}…${label.slice(label.length - end)}`;
}
