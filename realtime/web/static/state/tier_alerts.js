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

  /** Open alerts of an account. */
  of(label) {
    const found = this.document;
    return found ? [found.over, found.would_be, found.cannot_be_met, found.hidden].flat().filter(({ account_id: owner }) => owner === label) : [];
  }

  /** Hide an alert: `hour`, `today`, or `no` to show it again. The text of an error, or null. */
  async hide({ account_id: label, rule, state, symbol, order_id: order }, hide) {
    const params = new URLSearchParams({ rule, state, symbol, hide, ...(order ? { order_id: order } : {}) });
    try {
      const response = await fetch(`alerts/${encodeURIComponent(label)}/hide?${params}`, { method: "POST", signal: AbortSignal.timeout(TIMEOUT_MS) });
      if (response.ok) {
        this.renew();
        return null;
      }
      const problem = await response.json();
      return [problem.title, problem.detail].filter(Boolean).join(": ");
    } catch {
      return "Not hidden: the daemon did not respond.";
    }
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
