// What an account's link did since the page was opened, newest first, and how it is now.

import { createElement, setChildren } from "../components/dom.js";
import { isConnected, linkStatus } from "../format/link_status.js";
import { formatCount, formatTime } from "../format/time_format.js";

export class LinkHistory {
  constructor() {
    this.element = createElement("ol", { class: "link-history" });
  }

  show(link, events) {
    const lines = events.map(describe);
    if (link) {
      const isListed = events[0]?.state === link.state;
      const current = describe({ at: link.since, state: link.state, text: isListed ? events[0].text : lastError(link) });
      lines.splice(0, isListed ? 1 : 0, { ...current, isNow: isConnected() });
    }
    const key = JSON.stringify(lines);
    if (key === this.key) return;
    this.key = key;
    setChildren(this.element, lines.map(({ at, tone, title, text, isNow }) => createElement("li", { "data-tone": tone },
      createElement("i", { class: "lamp", "aria-hidden": "true" }),
      createElement("div", {}, createElement("b", { text: isNow ? `${title} since ${formatTime(at)}` : title }), createElement("span", { text })),
      createElement("time", { datetime: at, text: isNow ? "" : formatTime(at) }))));
  }
}

function lastError({ state, last_error: at, last_error_message: message }) {
  if (state === "disabled") return "enabled = false in accounts.toml";
  return at ? `last error ${formatTime(at)}: ${message ?? ""}` : "no error since the daemon started";
}

function describe({ at, state, text, gap }) {
  if (state === "gap") return { at, tone: "warn", title: "No events arrive", text: "what happens from here on is read later" };
  if (state === "repaired") return { at, tone: "good", title: "Nothing lost", text: gap.recovered ? `${formatCount(gap.recovered, "missed fill")} read by REST` : "no fill was missed" };
  const { word, tone } = linkStatus({ state });
  return { at, tone, title: word, text };
}
