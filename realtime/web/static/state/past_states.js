// The state of all accounts, or of one, as of a moment, in the shape of the present.

import { formatMoment } from "../address.js";
import { AccountState } from "./account_state.js";
import { FleetState } from "./fleet_state.js";
import { HistoryError, fetchPast } from "./history_reader.js";

const MAX_FILLS = 40;

/** An account as of a moment. Throws `HistoryError`. */
export async function readAccount(label, asOf, signal) {
  const account = new AccountState(label, asOf);
  await account.fetchDashboard(signal);
  if (account.problem) throw new HistoryError(account.problem);
  await account.fetchLegs(signal);
  return account;
}

/** All accounts as of a moment, with the newest fills before it. Throws `HistoryError`. */
export async function readFleet(asOf, signal) {
  const at = formatMoment(asOf);
  const [rows, trades] = await Promise.all([
    fetchPast(`realtime/accounts?${new URLSearchParams({ as_of: at })}`, signal),
    fetchPast(`history/trades?${new URLSearchParams({ to: at, limit: MAX_FILLS })}`, signal),
  ]);
  const fleet = new FleetState();
  fleet.setPast((await rows.json()).accounts);
  fleet.valuedAt = rows.headers.get("X-Realtime-Valued-At");
  fleet.historyNote = rows.headers.get("X-Realtime-History");
  fleet.fills = (await trades.json()).filter(({ busted }) => !busted).map((trade) => asFill(trade, asOf));
  return fleet;
}

function asFill({ account_id, execution_id, at, symbol, side, qty, price }, asOf) {
  return { event: "fill", account_id, execution_id, timestamp: at, qty, price, order: { symbol, side }, asOf };
}
