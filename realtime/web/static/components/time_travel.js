// The moment that is shown: opens and closes the bar of the past, and keeps it in the address.

import { parseAddress } from "../address.js";
import { now } from "../format/time_format.js";
import { setAttribute } from "./dom.js";

const ADDRESS_DELAY_MS = 200; // browsers limit how often an address may change
const FIRST_STEP_MS = 60_000; // how far back the bar opens

export class TimeTravel {
  /** `onEscape()` is called for that key in the bar, whose fields keep all other keys. */
  constructor({ parent, button, fleet, onChange, onEscape }) {
    this.parent = parent;
    this.button = button;
    this.fleet = fleet;
    this.onChange = onChange;
    this.onEscape = onEscape;
    this.view = null;
    button.addEventListener("click", () => this.toggle());
  }

  get isPast() {
    return this.view?.asOf != null;
  }

  /** Follow a view, which may already show the past. */
  show(view) {
    this.view = view;
    setAttribute(this.button, "hidden", view.setMoment ? null : true);
    this.render();
  }

  toggle() {
    if (this.isPast) return this.end();
    if (!this.view?.setMoment) return;
    this.#set(Math.floor((now() - FIRST_STEP_MS) / 1000) * 1000, { isStep: true });
  }

  /** Back to the present. */
  end() {
    if (!this.isPast) return;
    this.#set(null);
    this.view.focus();
  }

  render() {
    const isPast = this.isPast;
    setAttribute(document.documentElement, "data-past", isPast ? "" : null);
    setAttribute(this.button, "aria-pressed", String(isPast));
    if (!isPast) return this.#close();
    this.fillCount ??= this.fleet.fillCount;
    if (!this.bar) return void this.#open();
    this.bar.show({ asOf: this.view.asOf, fillsSince: this.fleet.fillCount - this.fillCount, ...this.view.pastState });
  }

  /** The bar is loaded when it is needed. */
  async #open() {
    if (this.isOpening) return;
    this.isOpening = true;
    const { activeElement } = document;
    const { TimeBar } = await import("./time_bar.js");
    this.isOpening = false;
    if (!this.isPast) return;
    this.bar = new TimeBar({ onMoment: (at) => this.#set(at), onNow: () => this.end(), onEscape: this.onEscape });
    this.parent.replaceChildren(this.bar.element);
    this.render();
    if (document.activeElement === activeElement) this.bar.focus(); // else the reader is elsewhere by now
  }

  #close() {
    this.fillCount = null;
    if (!this.bar) return;
    this.bar = null;
    this.parent.replaceChildren();
  }

  #set(at, { isStep = false } = {}) {
    this.view.setMoment(at);
    clearTimeout(this.timer);
    if (isStep) history.pushState(null, "", this.view.address);
    else this.timer = setTimeout(() => this.#replaceAddress(), at === null ? 0 : ADDRESS_DELAY_MS);
    this.render();
    this.onChange();
  }

  #replaceAddress() {
    const { view, label } = parseAddress(location.hash);
    // Another view may be on its way: its address stays.
    if (view === this.view.name && label === this.view.label) history.replaceState(null, "", this.view.address);
  }
}
