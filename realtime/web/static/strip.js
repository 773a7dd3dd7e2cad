// What is not as it should be, in words, and what to do about it.

import { arrange, make, mark, say } from "./dom.js";
import { age, clock, counted, retry } from "./words.js";

const NAMED = 3;
const SHOWN = 4;

/** A notice: `key`, `tone` (`bad`, `warn`, `calm`), `title`, `text`, `remedy`, `labels` it is about. */
export class Strip {
  constructor(place, voice) {
    this.place = place;
    this.voice = voice;
    this.shown = new Map();
    this.spoken = new Set();
  }

  show(notices) {
    const listed = notices.slice(0, SHOWN);
    const items = new Map();
    for (const notice of listed) {
      const item = this.shown.get(notice.key) ?? blank();
      fill(item, notice);
      items.set(notice.key, item);
    }
    this.shown = items;
    arrange(this.place, [...items.values()].map(({ element }) => element));
    mark(this.place, "hidden", listed.length === 0);
    this.#speak(listed);
  }

  /** Say aloud what is new; countdowns are not. */
  #speak(notices) {
    const fresh = notices.filter(({ key }) => !this.spoken.has(key));
    this.spoken = new Set(notices.map(({ key }) => key));
    if (fresh.length) say(this.voice, fresh.map(({ title, remedy }) => [title, remedy].filter(Boolean).join(". ")).join(". "));
  }
}

function blank() {
  const title = make("strong");
  const text = make("span", { class: "why" });
  const remedy = make("span", { class: "remedy" });
  const element = make("div", { class: "notice" }, make("i", { class: "lamp", "aria-hidden": "true" }), make("p", {}, title, text, remedy));
  return { element, title, text, remedy };
}

function fill(item, { tone, title, text, remedy, href }) {
  mark(item.element, "data-tone", tone);
  if (href && item.title.firstElementChild?.getAttribute("href") !== href) item.title.replaceChildren(make("a", { href }));
  say(href ? item.title.firstElementChild : item.title, title);
  say(item.text, text ?? "");
  say(item.remedy, remedy ? `→ ${capital(remedy)}` : "");
}

/** What is wrong between this page and the daemon. */
export function ofConnection({ state, since, at }) {
  if (state !== "lost") return [];
  return [{
    key: "connection",
    tone: "bad",
    title: "No connection to the daemon",
    text: at ? `Every figure is as of ${clock(at)} and may be wrong by now. Trying again${since ? `, for ${age(since)}` : ""}.`
      : "Nothing has been read yet. Trying again.",
    remedy: "Is it running? realtime status",
  }];
}

/** What is wrong with the links of these accounts, the same trouble told once. */
export function ofLinks(entries) {
  const groups = new Map();
  for (const { label, link } of entries) {
    const trouble = link && of(link);
    if (!trouble) continue;
    const key = `${trouble.key}:${trouble.cause ?? ""}`;
    const group = groups.get(key) ?? { ...trouble, key, labels: [], links: [] };
    group.labels.push(label);
    group.links.push(link);
    groups.set(key, group);
  }
  const tones = ["bad", "warn", "calm"];
  return [...groups.values()]
    .sort((a, b) => tones.indexOf(a.tone) - tones.indexOf(b.tone) || b.labels.length - a.labels.length)
    .map((group) => ({ ...group, ...worded(group) }));
}

function of(link) {
  const cause = link.last_error_message;
  switch (link.state) {
    case "disabled": return null;
    case "synced": return link.stale ? { key: "stale", tone: "warn", cause: link.stale_reason } : null;
    case "refused": return { key: "refused", tone: "bad", cause };
    case "deaf": return { key: "deaf", tone: "warn" };
    case "waiting": return { key: "waiting", tone: "warn", cause };
    default: return link.reconnect_attempts ? { key: "waiting", tone: "warn", cause } : { key: "starting", tone: "calm" };
  }
}

function worded({ key, cause, labels, links: [link] }) {
  const one = labels.length === 1;
  const who = names(labels);
  const href = one ? `#/account/${labels[0]}` : "#/?state=trouble";
  const remedy = link.remedy ?? "";
  const held = link.has_data
    ? one ? `Figures are from ${clock(link.stale_since)} and may be wrong by now.` : "Their figures may be wrong by now."
    : "Nothing is known yet.";
  switch (key.split(":")[0]) {
    case "refused":
      return { href, title: `${who} ${one ? "is" : "are"} refused by the broker`, text: `${sentence(cause ?? "not allowed in")} ${held}`, remedy: remedy || "Check the keys in secrets.toml, then SIGHUP" };
    case "deaf":
      return { href, title: `${who} ${one ? "hears" : "hear"} nothing`, text: `The broker knows more than its socket told. ${held}`, remedy: "A new socket follows by itself" };
    case "stale":
      return { href, title: `${who} may be behind`, text: `${sentence(cause)} ${held}`, remedy: "Everything is being read again" };
    case "starting":
      return { title: `${counted(labels.length, "account")} ${one ? "is" : "are"} being read`, text: one ? who : "", remedy: "" };
    default:
      return { href, title: `${who} lost the broker`, text: `${sentence(cause ?? link.stale_reason)} ${held}`, remedy: remedy || (one ? tries(link) : "They try again by themselves") };
  }
}

function tries(link) {
  const attempt = link.reconnect_attempts > 1 ? ` (attempt ${link.reconnect_attempts})` : "";
  const text = link.state === "waiting" ? retry(link) : "trying again";
  return `Nothing to do: ${text}${attempt}`;
}

function sentence(told) {
  const text = told?.replace(/\s*\(request [\w-]+\)/, ""); // what only the broker's support can read
  return text ? `${capital(text)}${text.endsWith(".") ? "" : "."}` : "";
}

function capital(text) {
  return text[0].toUpperCase() + text.slice(1);
}

function names(labels) {
  if (labels.length <= NAMED) return labels.join(labels.length === 2 ? " and " : ", ").replace(/, ([^,]*)$/, " and $1");
  return `${labels.slice(0, NAMED).join(", ")} and ${labels.length - NAMED} more`;
}
