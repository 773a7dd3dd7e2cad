// Which accounts are listed, and in which order.

import { sum } from "../format/decimal.js";
import { addUp } from "../state/fleet_state.js";
import { FLEET_COLUMNS } from "./fleet_columns.js";
import { HEALTHY } from "../format/link_status.js";

/** Whether an account needs attention: its link is not synced, or its figures may be behind. */
export function isProblem({ row, link, group, synced, enabled }) {
  if (group !== undefined) return synced < enabled;
  const state = link?.state ?? "starting";
  return !HEALTHY.has(state) || (state === "synced" && Boolean(row?.stale));
}

/** The entries that match search and state, problems first if wanted, unknown values last. */
export function selectEntries(entries, { search, state, sort, isProblemsFirst }) {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const column = FLEET_COLUMNS.find(({ key }) => key === sort.column) ?? FLEET_COLUMNS[0];
  const direction = sort.descending ? -1 : 1;
  const keyed = entries
    .filter((entry) => matches(entry, words, state))
    .map((entry) => [isProblemsFirst && isProblem(entry) ? 0 : 1, column.sortValue(entry) ?? null, entry]);
  keyed.sort(([problemA, a, left], [problemB, b, right]) => {
    if (problemA !== problemB) return problemA - problemB;
    if (a === b) return left.label < right.label ? -1 : 1;
    if (a === null || b === null) return a === null ? 1 : -1;
    return a < b ? -direction : direction;
  });
  return keyed.map(([, , entry]) => entry);
}

const MAX_UNFOLDED = 40; // with more accounts, groups are folded at first
const NO_TIER = "no tier";

/**
 * Sorted entries by tier, each group with a row of its sums before it: exact, paper and real money
 * apart. `toggled`: keys of groups that are not as they are at first.
 */
export function groupEntries(entries, { toggled, sort, isProblemsFirst }) {
  const isMixed = new Set(entries.map(({ row }) => row?.paper)).size > 1;
  const groups = new Map();
  for (const entry of entries) {
    const tier = entry.row?.tier ?? NO_TIER;
    const key = isMixed ? `${tier}${entry.row?.paper === false ? ":real" : ":paper"}` : tier;
    groups.set(key, [...(groups.get(key) ?? []), entry]);
  }
  const isFoldedAtFirst = entries.length > MAX_UNFOLDED;
  const heads = [...groups].map(([key, members]) => makeGroup(key, members, isFoldedAtFirst !== toggled.has(key)));
  return selectEntries(heads, { search: "", state: "", sort, isProblemsFirst })
    .flatMap((head) => [head, ...(head.isFolded ? [] : groups.get(head.group))]);
}

function makeGroup(key, members, isFolded) {
  const read = members.filter(({ money }) => money.equity !== null);
  const all = addUp(members);
  const enabled = members.filter(({ link }) => link?.state !== "disabled");
  return {
    label: `group ${key}`, group: key, isFolded, count: members.length, link: null, confirmedAt: all.confirmedAt,
    tier: members[0].row?.tier ?? NO_TIER,
    synced: enabled.filter((member) => !isProblem(member)).length, enabled: enabled.length,
    money: {
      equity: all.equity, last_equity: all.base, cash: all.cash, buying_power: all.buyingPower, day_pl: all.dayPl,
      flows_today: all.flows, total_pl: sum(read.map(({ money }) => money.total_pl)),
    },
    row: { paper: members[0].row?.paper, positions: all.positions, open_orders: all.openOrders, as_of: null, stale: false },
  };
}

function matches(entry, words, state) {
  const { label, row, link } = entry;
  if (state === "problem" ? !isProblem(entry) : state && state !== (link?.state ?? "starting")) return false;
  const text = `${label} ${row?.name ?? ""} ${row?.tier ?? ""}`.toLowerCase();
  return words.every((word) => text.includes(word));
}
