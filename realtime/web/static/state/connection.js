// This page's connection to the daemon, over all of its streams: the worst counts.

import { now } from "../format/time_format.js";

const WORST_FIRST = ["disconnected", "connecting", "paused"];

export class Connection {
  constructor() {
    this.state = "connecting";
    this.since = null; // when `state` was entered
    this.at = null; // of the last event, in milliseconds
  }

  get isOnline() {
    return navigator.onLine;
  }

  /** Take the states of the streams. Between two attempts nothing is better yet. */
  update(states) {
    const worst = WORST_FIRST.find((state) => states.includes(state)) ?? "connected";
    if (worst === "connecting" && this.state === "disconnected") return;
    if (worst !== this.state) this.since = new Date(now()).toISOString();
    this.state = worst;
  }
}
