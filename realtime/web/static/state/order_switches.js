// What stops orders: the kill switch, and accounts that are being closed. Polled; no event has it.

const INTERVAL_MS = 15_000;
const FIRST_DELAY_MS = 800;
const TIMEOUT_MS = 5_000;

/** `halts` and `liquidations` as the daemon lists them; empty where this page may not see them. */
export class OrderSwitches {
  constructor(onChange) {
    this.halts = [];
    this.liquidations = [];
    this.onChange = onChange;
    this.timer = setTimeout(() => this.#poll(), FIRST_DELAY_MS);
  }

  async #poll() {
    if (!document.hidden) {
      const [halt, closing] = await Promise.all([read("orders/halt"), read("orders/closing")]);
      if (halt === null && closing === null) return; // orders are off, or the token may not trade
      this.halts = halt?.scopes ?? this.halts;
      this.liquidations = closing?.accounts ?? this.liquidations;
      this.onChange();
    }
    this.timer = setTimeout(() => this.#poll(), INTERVAL_MS);
  }
}

/** The document; null if it is not to be had here, undefined if there was no answer now. */
async function read(path) {
  try {
    const response = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (response.ok) return await response.json();
    return response.status < 500 ? null : undefined;
  } catch {
    return undefined;
  }
}
