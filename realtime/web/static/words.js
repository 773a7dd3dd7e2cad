// Times, ages and states in words.

let ahead = 0;

/** Take the daemon's clock as ours: ages are told by it. */
export function hearClock(instant) {
  const theirs = Date.parse(instant);
  if (!Number.isNaN(theirs)) ahead = theirs - Date.now();
}

let isFollowed = true;

/** Take that the daemon is, or is not, followed: without it no link is known to be live. */
export function hearConnection(isThere) {
  isFollowed = isThere;
}

/** The daemon's now, in milliseconds. */
export function now() {
  return Date.now() + ahead;
}

const CLOCK = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });

/** The time of day of an instant, with its date if that is not today. */
export function clock(instant) {
  const at = typeof instant === "number" ? instant : Date.parse(instant ?? "");
  if (Number.isNaN(at)) return "–";
  const date = new Date(at);
  const time = CLOCK.format(date);
  return date.toDateString() === new Date(now()).toDateString() ? time : `${DAY.format(date)}, ${time}`;
}

/** How long ago: `now`, `41 s`, `12 min`, `3 h`, `4 d`. */
export function age(instant) {
  const at = Date.parse(instant ?? "");
  return Number.isNaN(at) ? "–" : span(now() - at);
}

/** A time that passed, in milliseconds, by its largest unit. */
export function span(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  if (seconds < 1) return "now";
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} d`;
}

/** `12 s ago`, or `just now`. */
export function ago(instant) {
  const passed = age(instant);
  return passed === "now" ? "just now" : passed === "–" ? "never" : `${passed} ago`;
}

export function counted(count, noun) {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}

/** A link's state → how it is called, and how bad it is. */
export const STATES = {
  synced: ["Synced", "good"],
  starting: ["Starting", "calm"],
  connecting: ["Connecting", "warn"],
  authorizing: ["Signing in", "warn"],
  syncing: ["Reading", "warn"],
  deaf: ["Deaf", "warn"],
  waiting: ["Waiting", "warn"],
  refused: ["Refused", "bad"],
  disabled: ["Disabled", "calm"],
};

/** How a link stands: word, tone and, while it waits, when it tries again. */
export function standing(link) {
  if (!link) return { word: "Unknown", tone: "calm", detail: "" };
  const [word, tone] = STATES[link.state] ?? [link.state, "warn"];
  if (link.state === "synced" && link.stale) return { word: "Stale", tone: "warn", detail: link.stale_reason };
  if (link.state === "waiting") return { word, tone, detail: retry(link) };
  return { word, tone, detail: "" };
}

/** The same, as far as it is known at this moment. */
export function standingNow(link) {
  return standing(isFollowed ? link : null);
}

/** Whether the daemon is followed. */
export function isConnected() {
  return isFollowed;
}

/** When a waiting link tries again. */
export function retry(link) {
  const left = Math.ceil((Date.parse(link.next_attempt_at ?? "") - now()) / 1000);
  return left > 0 ? `retry in ${left} s` : "trying again";
}
