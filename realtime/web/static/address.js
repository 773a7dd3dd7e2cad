// The hash of the address ↔ the view that it names. Every state of every view is an address.

const DEFAULT_SORT = "day_pl";
export const RANGES = { day: "1 D", week: "1 W", month: "1 M", all: "All" }; // of curves: name → label
const DEFAULT_RANGE = "day";
const LIST_VIEWS = new Set(["compare", "alerts", "broker"]);

/**
 * The view of an address: `fleet` with `query`, `account` with `label` and `range`, or one of
 * `compare`, `alerts`, `broker` with `params`. `asOf` is a moment in milliseconds; null is now.
 */
export function parseAddress(hash) {
  const [path, query = ""] = hash.replace(/^#/, "").split("?");
  const params = new URLSearchParams(query);
  const [, view, label] = path.split("/");
  if (LIST_VIEWS.has(view)) return { view, params, asOf: null };
  const asOf = parseMoment(params.get("as_of"));
  if (view === "account" && label) {
    const range = Object.hasOwn(RANGES, params.get("range") ?? "") ? params.get("range") : DEFAULT_RANGE;
    return { view: "account", label: decode(label), range, book: params.get("book"), asOf };
  }
  return { view: "fleet", query: parseFleetQuery(params), asOf };
}

export function parseFleetQuery(params) {
  return {
    search: params.get("q") ?? "",
    state: params.get("state") ?? "",
    sort: { column: params.get("sort") ?? DEFAULT_SORT, descending: params.get("order") !== "asc" },
    isProblemsFirst: params.get("problems") !== "0",
    group: params.get("group") === "tier" ? "tier" : "",
    toggled: new Set((params.get("fold") ?? "").split(",").filter(Boolean)), // groups that are not as they are at first
    columns: params.has("columns") ? new Set(params.get("columns").split(",").filter(Boolean)) : null,
  };
}

/** The hash of the fleet with this query; what is as usual is left out. */
export function formatFleetAddress({ search, state, sort, isProblemsFirst, group, toggled, columns }, asOf = null) {
  const params = new URLSearchParams();
  if (search) params.set("q", search);
  if (state) params.set("state", state);
  if (sort.column !== DEFAULT_SORT || !sort.descending) params.set("sort", sort.column);
  if (!sort.descending) params.set("order", "asc");
  if (!isProblemsFirst) params.set("problems", "0");
  if (group) params.set("group", group);
  if (group && toggled.size) params.set("fold", [...toggled].join(","));
  if (columns) params.set("columns", [...columns].join(","));
  return formatAddress("#/", params, asOf);
}

/** The hash of an account. */
export function formatAccountAddress(label, { range = DEFAULT_RANGE, book = null, asOf = null } = {}) {
  const params = new URLSearchParams();
  if (range !== DEFAULT_RANGE) params.set("range", range);
  if (book) params.set("book", book);
  return formatAddress(`#/account/${encodeURIComponent(label)}`, params, asOf);
}

/** A path with parameters; a colon stays one, so that a moment is readable. */
export function formatAddress(path, params, asOf = null) {
  if (asOf !== null) params.set("as_of", formatMoment(asOf));
  return params.size ? `${path}?${params.toString().replaceAll("%3A", ":").replaceAll("%2C", ",")}` : path;
}

/** A moment as in `as_of`, to the second: milliseconds since 1970 → `2026-11-25T20:42:10Z`. */
export function formatMoment(at) {
  return `${new Date(at).toISOString().slice(0, 19)}Z`;
}

/** The same address of the present. */
export function withoutMoment(hash) {
  return hash.replace(/([?&])as_of=[^&]*(&|$)/, (_, before, after) => (after ? before : ""));
}

function parseMoment(text) {
  const at = Date.parse(text ?? "");
  return Number.isNaN(at) ? null : at;
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
