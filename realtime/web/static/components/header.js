// The header: which money is shown, and how this page's own connection to the daemon is.

import { createElement, setAttribute, setChildren, setText } from "./dom.js";
import { createMoneyBadge } from "./money_badge.js";
import { formatAgo } from "../format/time_format.js";

const NAMES = { connected: "Connected", disconnected: "No connection", connecting: "Connecting", paused: "Paused" };
const TONES = { connected: "good", disconnected: "bad" };

export class Header {
  constructor({ nav, money, crumbs, indicators }) {
    this.crumbs = crumbs;
    this.links = new Map([...nav.querySelectorAll("a")].map((link) => [link.dataset.view, link]));
    this.badges = new Map([[false, createMoneyBadge()], [true, createMoneyBadge()]]);
    money.append(...[...this.badges.values()].map(({ element }) => element));
    this.link = createIndicator("link", createElement("i", { class: "lamp", "aria-hidden": "true" }));
    this.rate = createIndicator("rate");
    this.latency = createIndicator("latency");
    this.latency.element.title = "Time of a request to the daemon, median over five minutes";
    indicators.append(this.link.element, this.rate.element, this.latency.element);
  }

  /** Show which view is open, and how many alerts are; `alerts` is undefined where there are none to be had. */
  showNav(view, alerts) {
    for (const [name, link] of this.links) setAttribute(link, "aria-current", name === view ? "page" : null);
    setAttribute(this.links.get("alerts"), "hidden", alerts === undefined);
    const count = this.links.get("alerts").lastElementChild;
    setText(count, alerts ? alerts.toLocaleString("en") : "");
    setAttribute(count, "aria-label", alerts ? `${alerts} open` : null);
  }

  /** Show where the reader is. */
  showCrumbs(crumbs) {
    setChildren(this.crumbs, crumbs.map((text) => createElement("span", { text, title: text })));
  }

  /** Show which money is on the page: `[[isPaper, count or null], …]`. */
  showMoney(kinds) {
    for (const [isPaper, badge] of this.badges) {
      const kind = kinds.find(([each]) => each === isPaper);
      badge.show(kind ? isPaper : undefined, kind?.[1] ?? null);
    }
  }

  /** Show the connection, events per second and the latency in ms (null: unknown). */
  showConnection({ state, at }, { rate, latency }) {
    const isConnected = state === "connected";
    setAttribute(this.link.element, "data-tone", TONES[state] ?? "warn");
    setText(this.link.text, NAMES[state]);
    this.link.element.title = at ? `last event ${formatAgo(new Date(at).toISOString())}` : "no event received yet";
    setText(this.rate.text, isConnected ? `${format(rate)} events/s` : "");
    setText(this.latency.text, isConnected && latency !== null ? `${format(latency)} ms` : "");
  }
}

function format(number) {
  return number < 10 ? number.toFixed(1) : Math.round(number).toLocaleString("en");
}

function createIndicator(kind, ...before) {
  const text = createElement("span");
  return { element: createElement("span", { class: `indicator ${kind}` }, ...before, text), text };
}
