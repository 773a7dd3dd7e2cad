// Reads a comparison: figures, curves, and the members of groups, over one window.

import { fetchPast } from "./history_reader.js";

const DAY_MS = 86_400_000;
export const WINDOWS = { week: ["1 W", 7], month: ["1 M", 31], quarter: ["3 M", 92], year: ["Year", 365], all: ["All", 720] };
const DEFAULT_WINDOW = "month";
export const GROUPINGS = { account: "Accounts", tier: "Tiers", strategy: "Strategies", label: "Labels" };
export const MAX_PINS = 6;
const MAX_PAIRS_OF = 6;
const MAX_COMPARED_ROWS = 40; // above it the daemon compares pairs of named rows only

/** The state of the view that an address holds. */
export function parseCompareQuery(params) {
  const pins = params.get("pin");
  return {
    by: Object.hasOwn(GROUPINGS, params.get("by") ?? "") ? params.get("by") : "account",
    window: Object.hasOwn(WINDOWS, params.get("window") ?? "") ? params.get("window") : params.has("from") ? null : DEFAULT_WINDOW,
    from: params.get("from"), to: params.get("to"),
    unit: params.get("unit") === "usd" ? "usd" : "pct",
    benchmark: params.get("benchmark") ?? "SPY",
    pins: pins === null ? null : pins.split(",").slice(0, MAX_PINS).map((key) => key || null),
    sort: { column: params.get("sort") ?? "return_pct", descending: params.get("order") !== "asc" },
    columns: params.has("columns") ? new Set(params.get("columns").split(",").filter(Boolean)) : null,
    own: params.get("own") === "yes",
    expanded: new Set((params.get("open") ?? "").split(",").filter(Boolean)),
  };
}

/** The parameters of an address with this state; what is as usual is left out. */
export function formatCompareQuery({ by, window: span, from, to, unit, benchmark, pins, sort, columns, own, expanded }) {
  const params = new URLSearchParams();
  if (by !== "account") params.set("by", by);
  if (span && span !== DEFAULT_WINDOW) params.set("window", span);
  if (!span && from) params.set("from", from);
  if (!span && to) params.set("to", to);
  if (unit !== "pct") params.set("unit", unit);
  if (benchmark !== "SPY") params.set("benchmark", benchmark);
  if (pins) params.set("pin", pins.map((key) => key ?? "").join(","));
  if (sort.column !== "return_pct") params.set("sort", sort.column);
  if (!sort.descending) params.set("order", "asc");
  if (columns) params.set("columns", [...columns].join(","));
  if (own) params.set("own", "yes");
  if (expanded.size) params.set("open", [...expanded].join(","));
  return params;
}

/** The parameters of `/compare` for this state; `now` in milliseconds. */
export function requestParams({ by, window: span, from, to, benchmark }, now) {
  const params = new URLSearchParams({ by });
  if (span) params.set("from", new Date(now - WINDOWS[span][1] * DAY_MS).toISOString().slice(0, 10));
  else if (from) params.set("from", from);
  if (!span && to) params.set("to", to);
  if (benchmark !== "SPY") params.set("benchmark", benchmark || "none");
  return params;
}

/**
 * The comparison of a state: `{ document, series, members, isShortened, params }`. A window that was
 * not typed is shortened to what is recorded. Throws `HistoryError`.
 */
export async function readComparison(query, now, signal) {
  const params = requestParams(query, now);
  let document = await readJson("compare", params, signal);
  const [longest] = document.windows;
  const isShortened = Boolean(query.window && document.ranked_rows === 0 && longest);
  if (isShortened) {
    params.set("from", longest.from);
    document = await readJson("compare", params, signal);
  }
  const needsPairs = document.rows.filter(({ ranked }) => ranked).length > MAX_COMPARED_ROWS;
  const pinned = (query.pins ?? document.rows.slice(0, MAX_PAIRS_OF).map(({ key }) => key)).filter(Boolean);
  const [series, members, pairs] = await Promise.all([
    readJson("compare/series", params, signal),
    query.by === "account" || query.by === "label" ? new Map() : readMembers(document, params, signal),
    needsPairs && pinned.length ? readJson("compare", withPairs(params, pinned), signal) : null,
  ]);
  if (pairs) Object.assign(document, { pairs: pairs.pairs, pairs_compared: pairs.pairs_compared, pairs_omitted: pairs.pairs_omitted });
  return { document, series, members, isShortened, params };
}

function withPairs(params, keys) {
  const more = new URLSearchParams(params);
  more.set("pairs_of", keys.slice(0, MAX_PAIRS_OF).join(","));
  return more;
}

/** Group → its accounts as rows of their own. */
async function readMembers({ rows }, params, signal) {
  const single = new URLSearchParams(params);
  single.set("by", "account");
  single.set("benchmark", "none");
  const accounts = await readJson("compare", single, signal);
  const byLabel = new Map();
  for (const row of accounts.rows) if (row.kind === "account") byLabel.set(row.accounts[0], [...(byLabel.get(row.accounts[0]) ?? []), row]);
  return new Map(rows.filter(({ kind }) => kind === "group").map((row) => [row.key, row.accounts.flatMap((label) => byLabel.get(label) ?? [])]));
}

async function readJson(path, params, signal) {
  return (await fetchPast(`${path}?${params}`, signal)).json();
}
