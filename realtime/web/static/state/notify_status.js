// How webhooks and notifications go. Polled while the page is visible; no event has it.

const INTERVAL_MS = 20_000;
const FIRST_DELAY_MS = 1_200;
const TIMEOUT_MS = 5_000;

/** `status`: the document of /admin/notify; null where none are configured or this page may not see it. */
export class NotifyStatus {
  constructor(onChange) {
    this.status = null;
    this.onChange = onChange;
    setTimeout(() => this.#poll(), FIRST_DELAY_MS);
  }

  async #poll() {
    if (!document.hidden) {
      try {
        const response = await fetch("admin/notify", { cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) });
        if (response.status >= 400 && response.status < 500) return; // off, or the token is not an admin's
        if (response.ok) {
          this.status = await response.json();
          this.onChange();
        }
      } catch { /* no answer now: the next poll */ }
    }
    setTimeout(() => this.#poll(), INTERVAL_MS);
  }
}
