// Problems in words: what, since when, what follows from it, what to do. One notice for one cause.

import { shortenLabel } from "../format/instrument_format.js";
import { formatRetry } from "../format/link_status.js";
import { formatAge, formatCount, formatTime } from "../format/time_format.js";

const MAX_NAMED = 3;
const MAX_QUIET_ATTEMPTS = 5; // after that many, waiting is no longer the whole answer
const TONES = ["bad", "warn", "calm"];

/** Problems of the connection between this page and the daemon. */
export function connectionNotices({ state, since, at, isOnline = true }) {
  if (state !== "disconnected") return [];
  const held = at ? `All figures are as of ${formatTime(at)} and may be wrong now.` : "Nothing has been read yet.";
  if (!isOnline) {
    return [{ key: "offline", runbook: "offline", tone: "bad", title: "This device is offline", text: held, remedy: "Connect it to a network; the page then goes on" }];
  }
  return [{
    key: "connection", runbook: "no-connection", tone: "bad",
    title: "No connection to the daemon",
    text: `${held} Trying again${since ? `, for ${formatAge(since)}` : ""}.`,
    remedy: "Check that it runs: realtime status",
  }];
}

/** Problems of the links to the broker, one notice for each cause. `total`: accounts that are enabled. */
export function linkNotices(entries, total = 0) {
  const groups = new Map();
  for (const { label, link } of entries) {
    const problem = link && classify(link);
    if (!problem) continue;
    const key = `${problem.kind}:${problem.cause ?? ""}`;
    const group = groups.get(key) ?? { ...problem, key, labels: [], links: [] };
    group.labels.push(label);
    group.links.push(link);
    groups.set(key, group);
  }
  return [...groups.values()]
    .sort((a, b) => TONES.indexOf(a.tone) - TONES.indexOf(b.tone) || b.labels.length - a.labels.length)
    .map((group) => ({ ...group, runbook: group.kind, ...describe(group, total) }));
}

/** What the kill switch stops, and accounts that are being closed. */
export function orderNotices({ halts = [], liquidations = [] }) {
  const stopped = halts.map(({ account_id: label, reason, principal, since }) => ({
    key: `halt:${label ?? ""}`, runbook: "halted", tone: "warn", href: label ? `#/account/${label}` : null,
    title: label ? `Orders of ${shortenLabel(label)} are halted` : "New orders of all accounts are halted",
    text: `Since ${formatTime(since)}${principal ? `, by ${principal}` : ""}${reason ? `: ${sentence(reason)}` : "."} Open orders stay at the broker.`,
    remedy: `To allow orders again: realtime halt --resume${label ? ` --account ${label}` : ""}`,
  }));
  const closing = liquidations.filter(({ state }) => state === "closing" || state === "confirming").map(({ account_id: label, symbols = {}, last_error: error }) => {
    const states = Object.values(symbols);
    const flat = states.filter(({ status }) => status === "flat").length;
    return {
      key: `closing:${label}`, runbook: "closing", tone: "warn", href: `#/account/${label}`,
      title: `${shortenLabel(label)} is being closed`,
      text: `${states.length ? `${flat} of ${formatCount(states.length, "position")} flat. ` : ""}${error ? `${sentence(error)} ` : ""}New orders of it are refused until it is flat.`,
      remedy: "No action needed: GET /orders/closing shows the progress",
    };
  });
  return [...stopped, ...closing];
}

/** Receivers of webhooks that are parked, full or cannot be stored for, and targets of notifications that fail. */
export function notifyNotices(status) {
  if (!status) return [];
  const notices = [];
  if (status.outbox_error) {
    notices.push({ key: "outbox", runbook: "webhook", tone: "bad", title: "Events for webhooks cannot be stored", text: sentence(status.outbox_error), remedy: "Free disk space, or correct [history] path" });
  }
  for (const { name, state, waiting, parked, lost, last_error: error } of status.webhooks) {
    if (state === "ok" && !parked) continue;
    const isFailing = state === "failing" && !parked;
    const counts = [formatCount(waiting, "message") + " waiting", parked && `${parked} parked`, lost && formatCount(lost, "event") + " lost"].filter(Boolean).join(", ");
    notices.push({
      key: `webhook:${name}`, runbook: "webhook", tone: isFailing ? "calm" : "warn",
      title: `Webhook ${shortenLabel(name)} ${parked || state === "parked" ? "is parked" : state === "full" ? "does not keep up" : "does not respond"}`,
      text: `${counts}. ${error ? sentence(error) : ""}`,
      remedy: isFailing ? "No action needed: it is tried again" : state === "full" ? "Repair the receiver; a gap will tell it what is missing" : `Correct the receiver, then: realtime notify resend ${name}`,
    });
  }
  for (const { name, state, last_error: error } of status.notify) {
    if (state !== "failing") continue;
    notices.push({ key: `notify:${name}`, runbook: "webhook", tone: "calm", title: `Notifications to ${shortenLabel(name)} are not accepted`, text: sentence(error ?? ""), remedy: `Tried again; realtime notify test ${name} shows the cause` });
  }
  return notices;
}

const BOUNDS = { position_risk: "risk of one position", order_risk: "risk of one order", position_contracts: "contracts of one position", order_contracts: "contracts of one order" };

/** Accounts over a bound of their tier, one notice for each rule. */
export function boundNotices(alerts) {
  const rules = new Map();
  for (const { rule, account_id: label } of alerts) rules.set(rule, (rules.get(rule) ?? new Set()).add(label));
  return [...rules].map(([rule, labels]) => {
    const names = labels.size > MAX_NAMED ? formatCount(labels.size, "account") : joinNames([...labels]);
    return {
      key: `bound:${rule}`, runbook: "tier-bound", tone: "warn", href: "#/alerts?list=over",
      title: `${names} ${labels.size === 1 ? "is" : "are"} over the bound of ${labels.size === 1 ? "its tier" : "their tiers"}: ${BOUNDS[rule] ?? rule.replaceAll("_", " ")}`,
      text: "Nothing is stopped: bounds are watched, not enforced.", remedy: "Reduce the position, or change the bound in accounts.toml",
    };
  });
}

function classify(link) {
  const cause = link.last_error_message;
  // Not the broker is away, but the daemon that follows the account.
  if (link.owner && link.stale_reason?.startsWith("owner ")) return { kind: "owner", tone: "warn", cause: link.stale_reason };
  switch (link.state) {
    case "disabled": return null;
    case "synced": return link.stale ? { kind: "stale", tone: "warn", cause: link.stale_reason } : null;
    case "refused": return { kind: "refused", tone: "bad", cause };
    case "deaf": return { kind: "deaf", tone: "warn" };
    case "waiting": return { kind: "waiting", tone: "warn", cause };
    default: return link.reconnect_attempts ? { kind: "waiting", tone: "warn", cause } : { kind: "starting", tone: "calm" };
  }
}

function describe({ kind, cause, labels, links }, total) {
  const [link] = links;
  const isOne = labels.length === 1;
  const isAll = !isOne && labels.length === total;
  const names = isAll ? `All ${formatCount(labels.length, "account")}` : joinNames(labels);
  const href = isOne ? `#/account/${labels[0]}` : "#/?state=problem";
  const held = heldText(links, isOne);
  const full = isAll ? "" : labels.slice(0, MAX_NAMED).join(", ");
  switch (kind) {
    case "refused":
      return { href, full, title: `${names} ${isOne ? "is" : "are"} refused by the broker`, text: `${sentence(cause ?? "access denied")} ${held}`, remedy: link.remedy || "Correct the keys in secrets.toml, then realtime reload; keys in the environment need a restart" };
    case "owner":
      return { href, full, title: `${names} ${isOne ? "is" : "are"} not received from ${link.owner}`, text: `${sentence(cause)} ${held}`, remedy: "No action needed if it restarts: this daemon connects again automatically" };
    case "deaf":
      return { href, full, title: `${names} ${isOne ? "receives" : "receive"} no events`, text: `The broker has news that the stream did not deliver. ${held}`, remedy: "No action needed: a new connection follows" };
    case "stale":
      return { href, full, title: `${names} may be behind`, text: `${sentence(cause)} ${held}`, remedy: "No action needed: all of it is being read again" };
    case "starting":
      return { title: isAll ? `${names} are being read` : `${formatCount(labels.length, "account")} ${isOne ? "is" : "are"} being read`, full, text: isOne ? names : "", remedy: "" };
    default:
      return { href, full, title: isAll ? `${names} lost the broker` : `${names} lost the broker`, text: `${isAll ? "One cause for all: the broker, or the network between. " : ""}${sentence(cause ?? link.stale_reason)} ${held}`, remedy: link.remedy || waitText(links) };
  }
}

function heldText(links, isOne) {
  const unread = links.filter(({ has_data: hasData }) => !hasData).length;
  if (unread === links.length) return "Nothing is known yet.";
  if (isOne) return `Its figures are from ${formatTime(links[0].stale_since)} and may be wrong now.`;
  return `Their figures may be wrong now${unread ? `; of ${unread} nothing is known yet` : ""}.`;
}

function waitText(links) {
  const attempts = Math.max(...links.map(({ reconnect_attempts: count }) => count ?? 0));
  const since = links.map(({ stale_since: at, since: entered }) => at ?? entered).filter(Boolean).sort()[0];
  if (attempts > MAX_QUIET_ATTEMPTS) return `Still failing since ${formatTime(since)}, attempt ${attempts}: see the runbook`;
  if (links.length > 1) return "No action needed: each tries again automatically";
  const text = links[0].state === "waiting" ? formatRetry(links[0]) : "trying again";
  return `No action needed: ${text}${attempts > 1 ? ` (attempt ${attempts})` : ""}`;
}

function sentence(cause) {
  const text = cause?.replace(/\s*\(request [\w-]+\)/, ""); // an id for the broker's support only
  return text ? `${capitalize(text)}${text.endsWith(".") ? "" : "."}` : "";
}

export function capitalize(text) {
  return text[0].toUpperCase() + text.slice(1);
}

function joinNames(labels) {
  const names = labels.slice(0, MAX_NAMED).map((label) => shortenLabel(label));
  if (labels.length > MAX_NAMED) return `${names.join(", ")} and ${labels.length - MAX_NAMED} more`;
  return names.join(labels.length === 2 ? " and " : ", ").replace(/, ([^,]*)$/, " and $1");
}
