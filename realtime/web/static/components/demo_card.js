// What belongs to `realtime demo`: its faults as a notice until they are over, its result as a card.

import { createElement, setAttribute } from "./dom.js";
import { now } from "../format/time_format.js";

const INTERVAL_MS = 2_000;
const TIMEOUT_MS = 5_000;

export class DemoCard {
  constructor(parent, onChange) {
    this.parent = parent;
    this.onChange = onChange;
    this.document = null;
    this.#poll();
  }

  /** The faults to come, as long as there is no result. */
  get notices() {
    const { document } = this;
    if (!document || document.result !== null) return [];
    const elapsed = Math.max(0, Math.round((now() - Date.parse(document.started_at)) / 1000));
    const steps = document.steps.map(({ at_s: at, text }) => `${Math.round(at)} s: ${text}`);
    return [{
      key: "demo", tone: "calm",
      title: `Demo: faults are part of the programme until ${Math.round(document.ends_at_s)} s`,
      text: `${steps.join(" · ")}. Now ${elapsed} s.`,
    }];
  }

  async #poll() {
    try {
      const response = await fetch("page/demo.json", { cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) });
      if (!response.ok) return;
      this.document = await response.json();
      this.onChange();
      if (this.document.result !== null) return this.#showResult();
    } catch {
      // No connection: another notice says so.
    }
    setTimeout(() => this.#poll(), INTERVAL_MS);
  }

  #showResult() {
    const { result, is_lost: isLost } = this.document;
    const [after, figures] = result.split(": ");
    const close = createElement("button", { type: "button", class: "plain", text: "Close", on: { click: () => this.parent.replaceChildren() } });
    const card = createElement("section", { class: "card demo", "aria-labelledby": "demo-title" },
      createElement("h2", { id: "demo-title", text: `The demo after ${after}` }),
      createElement("ul", {}, ...figures.split(", ").map((text) => createElement("li", { text }))),
      createElement("p", { text: isLost ? "Differences from the broker's books were found: see the terminal." : "Faults are over, the revoked key is valid again; the simulator goes on trading." }), close);
    setAttribute(card, "data-tone", isLost ? "bad" : null);
    this.parent.replaceChildren(card);
  }
}
