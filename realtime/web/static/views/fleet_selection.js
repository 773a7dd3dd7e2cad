// Which accounts are listed, and in which order.

import { FLEET_COLUMNS } from "./fleet_columns.js";
import { HEALTHY } from "../format/link_status.js";

/** Whether an account needs attention: its link is not synced, or its figures may be behind. */
export function isProblem({ row, link }) {
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

function matches(entry, words, state) {
  const { label, row, link } = entry;
  if (state === "problem" ? !isProblem(entry) : state && state !== (link?.state ?? "starting")) return false;
  const text = `${label} ${row?.name ?? ""} ${row?.tier ?? ""}`.toLowerCase();
  return words.every((word) => text.includes(word));
}
