// Times and ages as text, by the daemon's clock.

const CLOCK_TIMEOUT_MS = 2_000; // after it the browser's clock is good enough

let aheadMs = 0;
let setClockKnown;
const clockKnown = new Promise((resolve) => { setClockKnown = resolve; });

/** Take the daemon's clock: ages are computed from it. */
export function setServerTime(instant) {
  const at = Date.parse(instant);
  if (Number.isNaN(at)) return;
  aheadMs = at - Date.now();
  setClockKnown();
}

/** Resolves when the daemon's clock is known, or does not come. */
export function waitForClock() {
  return Promise.race([clockKnown, new Promise((resolve) => { setTimeout(resolve, CLOCK_TIMEOUT_MS); })]);
}

/** The daemon's time now, in milliseconds. */
export function now() {
  return Date.now() + aheadMs;
}

const CLOCK = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });

/** The time of day of an instant, with its date if that is not today. */
export function formatTime(instant) {
  const at = typeof instant === "number" ? instant : Date.parse(instant ?? "");
  if (Number.isNaN(at)) return "–";
  const date = new Date(at);
  const time = CLOCK.format(date);
  return date.toDateString() === new Date(now()).toDateString() ? time : `${DAY.format(date)}, ${time}`;
}

/** Time passed since an instant: `now`, `41 s`, `12 min`, `3 h`, `4 d`; `–` if unknown. */
export function formatAge(instant) {
  const at = Date.parse(instant ?? "");
  return Number.isNaN(at) ? "–" : formatDuration(now() - at);
}

/** A duration in milliseconds, by its largest unit. */
export function formatDuration(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  if (seconds < 1) return "now";
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} d`;
}

/** `12 s ago`, `just now` or `never`. */
export function formatAgo(instant) {
  const passed = formatAge(instant);
  return passed === "now" ? "just now" : passed === "–" ? "never" : `${passed} ago`;
}

/** `1 account`, `1,000 accounts`. */
export function formatCount(count, noun) {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}

const FULL = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" });
const NEW_YORK = new Intl.DateTimeFormat("en-GB", { timeZone: "America/New_York", weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const SHORT = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });

/** A moment in full, here: `Wed, 25 Nov 2026, 21:42:10`. */
export function formatFull(at) {
  return FULL.format(at);
}

/** The same moment in New York, where sessions are; empty where that is here. */
export function formatNewYork(at) {
  const text = NEW_YORK.format(at);
  const isHere = Intl.DateTimeFormat().resolvedOptions().timeZone === "America/New_York";
  return isHere ? "" : `${text} in New York`;
}

/** A moment for a title or a list: `25 Nov, 15:42`. */
export function formatShort(at) {
  return SHORT.format(at);
}

/** A day: `25 Nov`. */
export function formatDay(at) {
  return DAY.format(at);
}

/** A duration by its two largest units: `4 d 17 h`. */
export function formatLongDuration(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const parts = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const first = parts.findIndex(([size]) => seconds >= size);
  if (first < 0) return "0 s";
  const [size, unit] = parts[first];
  const rest = parts[first + 1] && Math.floor((seconds % size) / parts[first + 1][0]);
  return rest ? `${Math.floor(seconds / size)} ${unit} ${rest} ${parts[first + 1][1]}` : `${Math.floor(seconds / size)} ${unit}`;
}
