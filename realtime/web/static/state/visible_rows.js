// With many accounts: subscribes to the rows on the screen, and reads the others once a minute.

const RENEW_DELAY_MS = 300; // while scrolling, the subscription stays as it is
const READ_INTERVAL_MS = 60_000; // a thousand rows are 350 kB
const REQUEST_TIMEOUT_MS = 15_000;
const MAX_ROWS = 200; // as many as `rows` takes
const INTERVAL_S = 1;

export class VisibleRows {
  constructor(fleet, alerts, { onChange }) {
    this.fleet = fleet;
    this.alerts = alerts;
    this.onChange = onChange;
    this.labels = [];
    this.hasMarks = false; // whether the table shows them
    this.readAt = performance.now();
    setInterval(() => this.#readAll(), 1000);
  }

  /** The query of the stream of all accounts: everything, or what is on the screen. */
  params(isSnapshot) {
    if (isSnapshot) return { types: "row,link" };
    if (!this.fleet.isLarge) return { types: `row,link,order${this.#extraTypes}` };
    const known = this.labels.filter((label) => this.fleet.entries.has(label));
    const rows = known.length ? known : [this.fleet.entries.keys().next().value];
    return { types: `row,link,fleet${this.#extraTypes}`, rows: rows.slice(0, MAX_ROWS).join(","), interval: INTERVAL_S };
  }

  /** Alerts are pushed where any tier has bounds, marks where their column is shown. */
  get #extraTypes() {
    return `${this.alerts.document?.watched ? ",alert" : ""}${this.hasMarks ? ",mark" : ""}`;
  }

  /** Whether marks are shown. */
  setMarks(hasMarks) {
    if (hasMarks === this.hasMarks) return;
    this.hasMarks = hasMarks;
    this.onChange();
  }

  /** Labels of the rows that are drawn. */
  set(labels) {
    const sorted = [...labels].sort();
    if (sorted.join() === this.labels.join()) return;
    this.labels = sorted;
    if (!this.fleet.isLarge) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.onChange(), RENEW_DELAY_MS);
  }

  async #readAll() {
    if (document.hidden || !this.fleet.isLarge || performance.now() - this.readAt < READ_INTERVAL_MS) return;
    this.readAt = performance.now();
    try {
      const response = await fetch("realtime/accounts", { signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) });
      if (response.ok) this.fleet.setRows((await response.json()).accounts);
    } catch {
      // Done again in a minute; the rows on the screen come with the stream.
    }
  }
}
