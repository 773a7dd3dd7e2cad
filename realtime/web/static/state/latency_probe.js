// Asks the daemon every few seconds whether it answers, and measures how fast.

const INTERVAL_MS = 5_000;
const TIMEOUT_MS = 3_000;
const FIRST_DELAY_MS = 1_500; // not while the page is loading
const MAX_SAMPLES = 60; // five minutes

/** `onResult(isReachable)` after each request; `median()` in milliseconds over five minutes. */
export class LatencyProbe {
  constructor(onResult) {
    this.onResult = onResult;
    this.samples = [];
    setInterval(() => this.#probe(), INTERVAL_MS);
    setTimeout(() => this.#probe(), FIRST_DELAY_MS);
  }

  median() {
    if (!this.samples.length) return null;
    return [...this.samples].sort((a, b) => a - b)[Math.floor(this.samples.length / 2)];
  }

  async #probe() {
    if (document.hidden) return;
    const start = performance.now();
    try {
      const response = await fetch("livez", { cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) });
      await response.arrayBuffer();
      this.samples.push(lastRequestMs() ?? performance.now() - start);
      if (this.samples.length > MAX_SAMPLES) this.samples.shift();
      this.onResult(true);
    } catch {
      if (!document.hidden) this.onResult(false);
    }
  }
}

/** Duration of the last request without the time that this page needed for it. */
function lastRequestMs() {
  const request = performance.getEntriesByType("resource").filter(({ name }) => name.endsWith("/livez")).at(-1);
  performance.clearResourceTimings();
  return request?.requestStart ? request.responseEnd - request.requestStart : null;
}
