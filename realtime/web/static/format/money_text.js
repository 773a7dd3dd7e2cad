// Sentences about money, for both the totals and one account.

import { formatDecimal } from "./decimal.js";
import { formatCount } from "./time_format.js";

/** What of today's change is money paid in or out, and of how many accounts that is unknown. */
export function flowsText(flows, unknown, accounts, isPast = false) {
  const known = flows ? `flows ${formatDecimal(flows, 2, { sign: true })}` : null;
  if (!unknown) return known;
  const of = unknown === accounts ? "flows unknown" : `flows of ${formatCount(unknown, "account")} unknown`;
  return [known, `${of}: a deposit of ${isPast ? "that day" : "today"} counts as gain`].filter(Boolean).join(" · ");
}
