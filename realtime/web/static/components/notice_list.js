// The problems below the header, a line each; what is new is announced to screen readers.

import { capitalize } from "./notice_text.js";
import { createElement, setAttribute, setChildren, setText } from "./dom.js";

const MAX_SHOWN = 4;
const RUNBOOK = "page/static/runbook/index.html";

export class NoticeList {
  constructor(parent, announcer) {
    this.parent = parent;
    this.announcer = announcer;
    this.items = new Map();
    this.announced = new Set();
    this.rest = createElement("p", { class: "more-notices" });
  }

  /** Show notices: `key`, `tone`, `title`, `text`, `remedy`; optional `href`, `full`, `runbook`. */
  show(notices) {
    const shown = notices.slice(0, MAX_SHOWN);
    const items = new Map();
    for (const notice of shown) {
      const item = this.items.get(notice.key) ?? createItem();
      fillItem(item, notice);
      items.set(notice.key, item);
    }
    this.items = items;
    const more = notices.length - shown.length;
    setText(this.rest, more > 0 ? `and ${more} more` : "");
    setChildren(this.parent, [...[...items.values()].map(({ element }) => element), ...(more > 0 ? [this.rest] : [])]);
    setAttribute(this.parent, "hidden", shown.length === 0);
    this.#announce(shown);
  }

  /** Announce what is new; a countdown is not. */
  #announce(notices) {
    const fresh = notices.filter(({ key }) => !this.announced.has(key));
    this.announced = new Set(notices.map(({ key }) => key));
    if (fresh.length) setText(this.announcer, fresh.map(({ title, remedy }) => [title, remedy].filter(Boolean).join(". ")).join(". "));
  }
}

function createItem() {
  const title = createElement("strong");
  const text = createElement("span", { class: "why" });
  const remedy = createElement("span", { class: "remedy" });
  const runbook = createElement("a", { class: "runbook", target: "_blank", rel: "noopener", text: "Runbook" });
  const element = createElement("div", { class: "notice" },
    createElement("i", { class: "lamp", "aria-hidden": "true" }), createElement("p", {}, title, text, remedy, runbook));
  return { element, title, text, remedy, runbook };
}

function fillItem(item, { tone, title, text, remedy, href, full, runbook }) {
  setAttribute(item.element, "data-tone", tone);
  setAttribute(item.title, "title", full || null);
  if (href && item.title.firstElementChild?.getAttribute("href") !== href) item.title.replaceChildren(createElement("a", { href }));
  setText(href ? item.title.firstElementChild : item.title, title);
  setText(item.text, text ?? "");
  setText(item.remedy, remedy ? `→ ${capitalize(remedy)}` : "");
  setAttribute(item.runbook, "hidden", !runbook);
  setAttribute(item.runbook, "href", runbook ? `${RUNBOOK}#${runbook}` : null);
  setAttribute(item.runbook, "aria-label", runbook ? `Runbook: ${title}` : null);
}
