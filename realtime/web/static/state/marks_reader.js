// What no event has of accounts marked to market: totals, and the price of each position.

const INTERVAL_MS = 2_000;
const FIRST_DELAY_MS = 300;
const RETRY_MS = 10_000;
const TIMEOUT_MS = 5_000;

export class MarksReader {
  /** `path`: below `market/marks`. `document` is null until something was read, and without market data. */
  constructor(path, onChange) {
    this.path = path;
    this.onChange = onChange;
    this.document = null;
    this.timer = setTimeout(() => this.#poll(), FIRST_DELAY_MS);
  }

  end() {
    this.isEnded = true;
    clearTimeout(this.timer);
  }

  async #poll() {
    let wait = INTERVAL_MS;
    if (!document.hidden) {
      try {
        const response = await fetch(`market/marks${this.path}`, { cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) });
        if (this.isEnded || (response.status >= 400 && response.status < 500)) return; // accounts are not marked here
        if (response.ok) this.document = await response.json();
        else wait = RETRY_MS;
        this.onChange();
      } catch {
        wait = RETRY_MS;
      }
    }
    if (!this.isEnded) this.timer = setTimeout(() => this.#poll(), wait);
  }
}
