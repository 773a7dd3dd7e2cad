// The state of an account's link to the broker as a word, a tone and a detail.

import { now } from "./time_format.js";

/** Link state → its name on the page, and its tone. */
export const STATES = {
  synced: ["Synced", "good"],
  starting: ["Starting", "calm"],
  connecting: ["Connecting", "warn"],
  authorizing: ["Signing in", "warn"],
  syncing: ["Reading", "warn"],
  deaf: ["No events", "warn"],
  waiting: ["Waiting", "warn"],
  refused: ["Refused", "bad"],
  disabled: ["Disabled", "calm"],
};

/** States that are not a problem. */
export const HEALTHY = new Set(["synced", "disabled"]);

let isPageConnected = true;

/** Whether this page has a connection to the daemon: without one the state of no link is known. */
export function setPageConnected(isConnected) {
  isPageConnected = isConnected;
}

export function isConnected() {
  return isPageConnected;
}

/** Word, tone and detail of a link; with the time of the next attempt while it waits. */
export function linkStatus(link) {
  if (!link) return { word: "Unknown", tone: "calm", detail: "" };
  const [word, tone] = STATES[link.state] ?? [link.state, "warn"];
  if (link.state === "synced" && link.stale) return { word: "Stale", tone: "warn", detail: link.stale_reason };
  return { word, tone, detail: link.state === "waiting" ? formatRetry(link) : "" };
}

/** The same; unknown while this page has no connection to the daemon. */
export function currentLinkStatus(link) {
  return linkStatus(isPageConnected ? link : null);
}

/** When a waiting link tries again. */
export function formatRetry(link) {
  const left = Math.ceil((Date.parse(link.next_attempt_at ?? "") - now()) / 1000);
  return left > 0 ? `retry in ${left} s` : "trying again";
}
