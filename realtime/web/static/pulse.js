// Asks the daemon every few seconds whether it answers, and how quickly.

const EVERY_MS = 5_000;
const ANSWER_MS = 3_000;
const FIRST_MS = 1_500; // not while the page itself is loading
const KEPT = 60;

/** `told(isThere)` after each question; `median()` in milliseconds of the last five minutes. */
export class Pulse {
  constructor(told) {
    this.told = told;
    this.took = [];
    setInterval(() => this.#ask(), EVERY_MS);
    setTimeout(() => this.#ask(), FIRST_MS);
  }

  median() {
    if (!this.took.length) return null;
    return [...this.took].sort((a, b) => a - b)[Math.floor(this.took.length / 2)];
  }

  async #ask() {
    if (document.hidden) return;
    const began = performance.now();
    try {
      const answer = await fetch("livez", { cache: "no-store", signal: AbortSignal.timeout(ANSWER_MS) });
      await answer.arrayBuffer();
      this.took.push(onTheWay() ?? performance.now() - began);
      if (this.took.length > KEPT) this.took.shift();
      this.told(true);
    } catch {
      if (!document.hidden) this.told(false);
    }
  }
}

/** The last question's own time, without this page's: from asking to the answer's end. */
function onTheWay() {
  const asked = performance.getEntriesByType("resource").filter(({ name }) => name.endsWith("/livez")).at(-1);
  performance.clearResourceTimings();
  return asked?.requestStart ? asked.responseEnd - asked.requestStart : null;
}
