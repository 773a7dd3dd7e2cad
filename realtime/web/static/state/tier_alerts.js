// Bounds of tiers that are exceeded: read at the start and now and then, and when an event says so.

const INTERVAL_MS = 30_000;
const FIRST_DELAY_MS = 900;
const EVENT_DELAY_MS = 250; // several alerts that begin at once are one request
const TIMEOUT_MS = 5_000;

export class TierAlerts {
  /** `onWatched()` is called when it becomes known that tiers have bounds. */
  constructor({ onChange, onWatched }) {
    this.document = null; // of `GET /alerts`; null: not read yet, or not to be had here
    this.onChange = onChange;
    this.onWatched = onWatched;
    this.isEnded = false; // there are none to be had here
    this.timer = setTimeout(() => this.#poll(), FIRST_DELAY_MS);
  }

  /** Alerts that are over a bound; null while that is unknown. */
  get over() {
    return this.document?.over ?? null;
  }

  /** An alert has begun or ended. */
  renew() {
    if (this.isRenewing || this.isEnded) return;
    this.isRenewing = true;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#poll(), EVENT_DELAY_MS);
  }

  async #poll() {
    this.isRenewing = false;
    if (!document.hidden) {
      try {
        const response = await fetch("alerts", { cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) });
        const wasWatched = this.document?.watched ?? false;
        if (response.ok) this.document = await response.json();
        else if (response.status < 500) this.isEnded = true;
        this.onChange();
        if (this.isEnded) return;
        if (this.document.watched && !wasWatched) this.onWatched();
      } catch {
        // Done again in half a minute.
      }
    }
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#poll(), INTERVAL_MS);
  }
}
