// Reads the past from the daemon: curves, gaps and the moment of the next event.

const TIMEOUT_MS = 15_000;
const DAY_S = 86_400;
const RANGE_S = { day: DAY_S, week: 7 * DAY_S, month: 31 * DAY_S };
const MAX_RANGE_S = 3_900 * DAY_S; // the route takes 4000 days
const SEARCH_S = [600, 3600, DAY_S, 14 * DAY_S]; // spans searched for the next event, one after the other
const MAX_EVENTS = 5000;
const LINK_DOWN = "link down"; // the reason of a gap in which the daemon recorded what it had

/** Why there is no history; `code` is that of the problem, `message` is for the reader. */
export class HistoryError extends Error {
  constructor({ code, title, detail, remedy }) {
    super(code === "history_off" ? "History is off: set [history] enabled = true in accounts.toml." : [title, detail].filter(Boolean).join(": "));
    this.code = code;
    this.detail = detail ?? "";
    this.remedy = remedy ?? "";
  }

  /** The first recorded moment in milliseconds, where the problem names it. */
  get earliest() {
    const at = Date.parse(/earliest: (\S+)/.exec(this.detail)?.[1] ?? "");
    return Number.isNaN(at) ? null : at;
  }
}

/** A response of the daemon; throws `HistoryError` for a problem. */
export async function fetchPast(path, signal = null) {
  const limit = AbortSignal.timeout(TIMEOUT_MS);
  const response = await fetch(path, { signal: signal ? AbortSignal.any([signal, limit]) : limit });
  if (!response.ok) throw new HistoryError(await response.json());
  return response;
}

/**
 * The curve of an account over a range that ends now (all in seconds): `points`, `gaps` that were
 * not recorded and `outages` of its link as `[from, to]`, and `from` and `to` of the range.
 */
export async function fetchCurve(label, range, now) {
  const path = `history/equity/${encodeURIComponent(label)}`;
  const read = async (params) => (await fetchPast(`${path}?${new URLSearchParams(params)}`)).json();
  let from = now - (RANGE_S[range] ?? DAY_S);
  if (range === "all") {
    const { points } = await read({ from: Math.floor(now - MAX_RANGE_S), step: "1D" });
    if (points.length) from = points[0].at - DAY_S;
  }
  let { points, gaps } = await read({ from: Math.floor(from) });
  // What the broker's portfolio history filled in is by the day only.
  if (points.length < 2 && range !== "day") ({ points, gaps } = await read({ from: Math.floor(from), step: "1D" }));
  const spans = (isWanted) => gaps.filter(([, , reason]) => isWanted === (reason === LINK_DOWN)).map(([start, end, reason]) => [Math.max(start, from), end, reason]);
  return { points, gaps: spans(false), outages: spans(true), from, to: now };
}

/**
 * The moment (milliseconds, whole seconds) at which the event before or after a moment is visible;
 * null if there is none.
 */
export async function fetchEventMoment(label, at, direction, now) {
  const path = `history/events/${encodeURIComponent(label)}`;
  const read = async (params) => (await (await fetchPast(`${path}?${new URLSearchParams(params)}`)).json()).map((event) => Date.parse(event.at));
  const seconds = Math.floor(at / 1000);
  if (direction < 0) return roundUp((await read({ from: seconds - MAX_RANGE_S, to: seconds - 1, limit: 1 }))[0]);
  let from = seconds + 0.001;
  for (const span of SEARCH_S) {
    let to = Math.min(from + span, now / 1000);
    for (let events = [], isFull = true; isFull && to > from; isFull = events.length === MAX_EVENTS) {
      events = await read({ from, to, limit: MAX_EVENTS });
      if (events.length && events.length < MAX_EVENTS) return roundUp(events.at(-1));
      if (events.length) to = events.at(-1) / 1000;
    }
    from += span;
  }
  return null;
}

function roundUp(at) {
  return at === undefined ? null : Math.ceil(at / 1000) * 1000;
}
