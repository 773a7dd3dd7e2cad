"""All accounts as of a moment, from the minute that had ended: a table, not whole states."""

from typing import Any

from msgspec import Struct

from realtime.history.day_file import minute_of
from realtime.history.exact import MINUTE_US, MONEY_SCALE, plain
from realtime.history.reading import HistoryReader, days_back, read_day


class AccountAt(Struct, frozen=True, kw_only=True):
    """One account's figures at the end of a minute. Money as decimal strings."""

    label: str
    tier: str | None
    paper: bool
    valued_at_us: int
    equity: str | None
    last_equity: str | None
    cash: str | None
    buying_power: str | None
    open_orders: int
    positions: int
    is_stale: bool


def fleet_at(reader: HistoryReader, at_us: int) -> dict[str, AccountAt]:
    """label → the account's newest minute that had ended at a moment, of that day or the one
    before."""
    accounts: dict[str, AccountAt] = {}
    for file in days_back(reader, at_us)[:2]:
        for row in read_day(
            reader,
            file,
            "SELECT label, tier, paper, minute, equity, last_equity, cash, power, open_orders,"
            " positions, stale FROM account JOIN equity ON equity.acc = account.n"
            " AND minute = (SELECT max(m.minute) FROM equity AS m WHERE m.acc = account.n"
            " AND m.minute <= ?) ORDER BY minute",
            (minute_of(at_us),),
        ):
            past = _account_at(row)
            known = accounts.get(past.label)
            if known is None or known.valued_at_us < past.valued_at_us:
                accounts[past.label] = past
    return accounts


def _account_at(row: Any) -> AccountAt:
    label, tier, paper, minute, equity, last_equity, cash, power, orders, positions, stale = row
    return AccountAt(
        label=label,
        tier=tier,
        paper=bool(paper),
        valued_at_us=minute * MINUTE_US,
        equity=plain(equity, MONEY_SCALE),
        last_equity=plain(last_equity, MONEY_SCALE),
        cash=plain(cash, MONEY_SCALE),
        buying_power=plain(power, MONEY_SCALE),
        open_orders=orders,
        positions=positions,
        is_stale=bool(stale),
    )
