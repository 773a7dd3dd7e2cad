// The hash of the address ↔ the view that it names. Every state of every view is an address.

const DEFAULT_SORT = "day_pl";

/** `#/account/alpha` or `#/?q=al&sort=equity` as `{ view, label }` or `{ view, query }`. */
export function parseAddress(hash) {
  const [path, query = ""] = hash.replace(/^#/, "").split("?");
  const [, view, label] = path.split("/");
  if (view === "account" && label) return { view: "account", label: decode(label) };
  return { view: "fleet", query: parseFleetQuery(new URLSearchParams(query)) };
}

export function parseFleetQuery(params) {
  return {
    search: params.get("q") ?? "",
    state: params.get("state") ?? "",
    sort: { column: params.get("sort") ?? DEFAULT_SORT, descending: params.get("order") !== "asc" },
    isProblemsFirst: params.get("problems") !== "0",
    columns: params.has("columns") ? new Set(params.get("columns").split(",").filter(Boolean)) : null,
  };
}

/** The hash of the fleet with this query; what is as usual is left out. */
export function formatFleetAddress({ search, state, sort, isProblemsFirst, columns }) {
  const params = new URLSearchParams();
  if (search) params.set("q", search);
  if (state) params.set("state", state);
  if (sort.column !== DEFAULT_SORT || !sort.descending) params.set("sort", sort.column);
  if (!sort.descending) params.set("order", "asc");
  if (!isProblemsFirst) params.set("problems", "0");
  if (columns) params.set("columns", [...columns].join(","));
  return `#/${params.size ? `?${params}` : ""}`;
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
