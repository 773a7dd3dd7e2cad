// Money as the broker writes it, summed and rounded without a floating point: BigInt at 18 digits.

const DIGITS = 18;
const ONE = 10n ** BigInt(DIGITS);
const PLAIN = /^([+-]?)(\d+)(?:\.(\d*))?$/;

/** A decimal string as a BigInt of 10⁻¹⁸; null where there is none. */
export function exact(text) {
  const parts = typeof text === "string" ? PLAIN.exec(text) : null;
  if (!parts) return null;
  const [, sign, whole, fraction = ""] = parts;
  const size = BigInt(whole) * ONE + BigInt(fraction.slice(0, DIGITS).padEnd(DIGITS, "0"));
  return sign === "-" ? -size : size;
}

/** The sum of those that are known; null if none is. */
export function sum(values) {
  let total = null;
  for (const value of values) if (value !== null) total = (total ?? 0n) + value;
  return total;
}

/** Spell it with so many decimals, in groups of three, rounded half away from zero. */
export function spell(value, decimals = 2, { sign = false } = {}) {
  if (value === null) return "–";
  const unit = 10n ** BigInt(DIGITS - decimals);
  const size = ((value < 0n ? -value : value) + unit / 2n) / unit;
  const digits = size.toString().padStart(decimals + 1, "0");
  const whole = digits.slice(0, digits.length - decimals).replace(/\B(?=(\d{3})+$)/g, ",");
  const shown = decimals ? `${whole}.${digits.slice(-decimals)}` : whole;
  if (size === 0n) return shown;
  return (value < 0n ? "−" : sign ? "+" : "") + shown;
}

/** As `spell`, with as many decimals as it has, between two bounds. */
export function spellAll(value, least, most, options) {
  if (value === null) return "–";
  const shown = spell(value, most, options);
  const surplus = /0+$/.exec(shown.slice(shown.length - (most - least)));
  const cut = surplus ? shown.slice(0, shown.length - surplus[0].length) : shown;
  return cut.endsWith(".") ? cut.slice(0, -1) : cut;
}

/** Part of a whole in percent, as a BigInt of 10⁻¹⁸; null where it makes no sense. */
export function percent(part, whole) {
  return part === null || !whole ? null : (part * 100n * ONE) / (whole < 0n ? -whole : whole);
}

/** A gain or loss and its part in percent: `+12.30  +0.41 %`; a small part has a digit more, none is left out. */
export function spellGain(gain, whole) {
  const part = percent(gain, whole);
  const amount = spell(gain, 2, { sign: true });
  if (part === null) return amount;
  const isSmall = part < ONE / 10n && part > -ONE / 10n;
  const shown = spell(part, isSmall ? 3 : 2, { sign: true });
  return shown === "0.000" ? amount : `${amount}  ${shown} %`;
}

/** −1, 0 or 1. */
export function signOf(value) {
  return value === null || value === 0n ? 0 : value < 0n ? -1 : 1;
}

/** For drawing only, never for showing. */
export function approximate(value) {
  return value === null ? null : Number(value / 10n ** 12n) / 1e6;
}
