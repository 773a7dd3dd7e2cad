// Decimal strings as the broker writes them: parsed, added and formatted without floating point.

const DIGITS = 18;
const ONE = 10n ** BigInt(DIGITS);
const DECIMAL = /^([+-]?)(\d+)(?:\.(\d*))?$/;
const UNITS = [["T", 12], ["B", 9], ["M", 6], ["k", 3]]; // name, power of ten

/** A decimal string as a BigInt in units of 10⁻¹⁸; null if it is none. */
export function parseDecimal(text) {
  const parts = typeof text === "string" ? DECIMAL.exec(text) : null;
  if (!parts) return null;
  const [, sign, whole, fraction = ""] = parts;
  const size = BigInt(whole) * ONE + BigInt(fraction.slice(0, DIGITS).padEnd(DIGITS, "0"));
  return sign === "-" ? -size : size;
}

/** The sum of the known values; null if none is known. */
export function sum(values) {
  let total = null;
  for (const value of values) if (value !== null && value !== undefined) total = (total ?? 0n) + value;
  return total;
}

/** A value with this many decimals, digits in groups of three, rounded half away from zero; `–` if unknown. */
export function formatDecimal(value, decimals = 2, { sign = false, currency = "" } = {}) {
  if (value === null || value === undefined) return "–";
  const rounded = round(value, decimals);
  const size = rounded < 0n ? -rounded : rounded;
  const digits = size.toString().padStart(decimals + 1, "0");
  const whole = digits.slice(0, digits.length - decimals).replace(/\B(?=(\d{3})+$)/g, ",");
  const number = decimals ? `${whole}.${digits.slice(-decimals)}` : whole;
  return signText(rounded, sign) + currency + number;
}

/** A value in its largest unit with two decimals, as `98.77 B`: for where the whole does not fit. */
export function formatCompact(value, { sign = false, currency = "" } = {}) {
  if (value === null || value === undefined) return "–";
  const size = value < 0n ? -value : value;
  for (const [name, power] of UNITS) {
    const unit = 10n ** BigInt(power);
    if (size < unit * ONE) continue;
    const shown = formatDecimal(size / unit, 2);
    return `${signText(value, sign)}${currency}${shown}\u00a0${name}`;
  }
  return formatDecimal(value, 2, { sign, currency });
}

/** The whole value if it has at most this many characters, else the value in a larger unit. */
export function formatFitting(value, maxChars, options) {
  const whole = formatDecimal(value, 2, options);
  return whole.length <= maxChars ? whole : formatCompact(value, options);
}

/** A value with as many decimals as it has, within two bounds. */
export function formatTrimmed(value, minDecimals, maxDecimals, options) {
  if (value === null || value === undefined) return "–";
  const shown = formatDecimal(value, maxDecimals, options);
  const surplus = /0+$/.exec(shown.slice(shown.length - (maxDecimals - minDecimals)));
  const trimmed = surplus ? shown.slice(0, shown.length - surplus[0].length) : shown;
  return trimmed.endsWith(".") ? trimmed.slice(0, -1) : trimmed;
}

/** A part of a whole in percent; null where it has no meaning. */
export function percent(part, whole) {
  if (part === null || part === undefined || !whole) return null;
  return (part * 100n * ONE) / (whole < 0n ? -whole : whole);
}

/** A percentage with two decimals, three if it is small; empty if nothing is left of it even then. */
export function formatPercent(value) {
  const isSmall = value !== null && value < ONE / 10n && value > -ONE / 10n;
  if (value === null || round(value, 3) === 0n) return "";
  return `${formatDecimal(value, isSmall ? 3 : 2, { sign: true })} %`;
}

/** `gain` or `loss` if the value still is one with this many decimals; else null. */
export function toneOf(value, decimals = 2) {
  if (value === null || value === undefined) return null;
  const rounded = round(value, decimals);
  return rounded === 0n ? null : rounded > 0n ? "gain" : "loss";
}

/** A number for drawing only, never for showing. */
export function toNumber(value) {
  return value === null ? null : Number(value / 10n ** 12n) / 1e6;
}

/** The inverse of `toNumber`, for values that come as numbers. */
export function fromNumber(number) {
  return BigInt(Math.round(number * 1e6)) * 10n ** 12n;
}

function round(value, decimals) {
  const unit = 10n ** BigInt(DIGITS - decimals);
  const size = ((value < 0n ? -value : value) + unit / 2n) / unit;
  return value < 0n ? -size : size;
}

function signText(value, isAlwaysSigned) {
  if (value === 0n) return "";
  return value < 0n ? "−" : isAlwaysSigned ? "+" : "";
}
