// The columns of the table of all accounts.

import { badge } from "./badge.js";
import { percent, spell } from "./decimal.js";
import { make, mark, say } from "./dom.js";
import { toneOf } from "./figure.js";
import { STATES, age, standingNow } from "./words.js";

const money = (key, name) => ({
  key, name, kind: "number",
  show: ({ money: known }) => spell(known[key]),
  worth: ({ money: known }) => known[key],
  at: ({ row }) => row?.as_of,
});

export const COLUMNS = [
  { key: "account_id", name: "Account", kind: "head", fill: fillName, order: ({ label }) => label.toLowerCase() },
  { key: "state", name: "Link", fill: fillState, order: ({ link }) => Object.keys(STATES).indexOf(link?.state) },
  { ...money("equity", "Equity"), isResult: true, order: ({ money: known }) => known.equity },
  {
    ...money("day_pl", "Day P/L"), isResult: true,
    show: ({ money: known }) => spell(known.day_pl, 2, { sign: true }),
    tone: ({ money: known }) => toneOf(known.day_pl),
    order: ({ money: known }) => known.day_pl,
  },
  {
    key: "day_part", name: "Day %", kind: "number",
    show: (entry) => share(entry), tone: ({ money: known }) => toneOf(known.day_pl),
    order: ({ money: known }) => percent(known.day_pl, known.last_equity),
  },
  { ...money("cash", "Cash"), order: ({ money: known }) => known.cash },
  { ...money("buying_power", "Buying power"), order: ({ money: known }) => known.buying_power },
  { key: "positions", name: "Positions", kind: "number", show: ({ row }) => row?.positions ?? "–", worth: ({ row }) => row?.positions ?? null, order: ({ row }) => row?.positions ?? null },
  { key: "open_orders", name: "Orders", kind: "number", show: ({ row }) => row?.open_orders ?? "–", worth: ({ row }) => row?.open_orders ?? null, order: ({ row }) => row?.open_orders ?? null },
  { key: "as_of", name: "Changed", kind: "number", show: ({ row }) => age(row?.as_of), order: ({ row }) => (row ? Date.parse(row.as_of) : null) },
];

function fillName(cell, { label, row }) {
  if (!cell.firstChild) {
    cell.money = badge();
    cell.append(make("a", {}), cell.money.element, make("span", { class: "sub" }));
  }
  const [link, , sub] = cell.children;
  cell.money.show(row?.paper === false ? false : undefined);
  mark(link, "href", `#/account/${label}`);
  const changed = say(link, label);
  say(sub, [row?.name && plain(row.name) !== plain(label) ? row.name : null, row?.tier].filter(Boolean).join(" · "));
  return changed;
}

function plain(name) {
  return name.toLowerCase().replace(/[\s_-]/g, "");
}

function fillState(cell, { link }) {
  cell.firstChild ?? cell.append(make("span", { class: "state" }, make("i", { class: "lamp", "aria-hidden": "true" }), make("span"), make("span", { class: "sub" })));
  const { word, tone, detail } = standingNow(link);
  const state = cell.firstChild;
  mark(state, "data-tone", tone);
  mark(cell.parentElement ?? cell, "data-stale", link?.stale && link.state !== "disabled" ? "yes" : null);
  say(state.children[2], detail ? detail : "");
  return say(state.children[1], word);
}

function share({ money: known }) {
  const part = percent(known.day_pl, known.last_equity);
  return part === null ? "–" : `${spell(part, 2, { sign: true })}`;
}
