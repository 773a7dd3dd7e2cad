// Reads a state of the past once its moment has rested, and keeps the one before until then.

import { HistoryError } from "./history_reader.js";

const REST_MS = 150; // a slider that moves asks for nothing

export class PastReader {
  /** `read(asOf, signal)` gives the state, `onChange()` is called when another is there. */
  constructor({ read, onChange }) {
    this.read = read;
    this.onChange = onChange;
    this.value = null; // the newest that was read
    this.error = null; // why there is none: a `HistoryError`, or that of the connection
    this.asOf = null;
    this.isReading = false;
  }

  /** Read the state of a moment in milliseconds; null forgets it. */
  set(asOf) {
    if (asOf === this.asOf) return;
    const isFirst = this.asOf === null;
    this.asOf = asOf;
    clearTimeout(this.timer);
    this.controller?.abort();
    this.isReading = asOf !== null;
    if (asOf === null) Object.assign(this, { value: null, error: null });
    else this.timer = setTimeout(() => this.#read(asOf), isFirst ? 0 : REST_MS);
  }

  async #read(asOf) {
    this.controller = new AbortController();
    const result = { value: null, error: null };
    try {
      result.value = await this.read(asOf, this.controller.signal);
    } catch (error) {
      result.error = error instanceof HistoryError ? error : new HistoryError({ title: "The daemon does not answer" });
    }
    if (asOf !== this.asOf) return;
    Object.assign(this, result, { isReading: false });
    this.onChange();
  }
}
