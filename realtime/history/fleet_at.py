"""All accounts as of a moment, from the minute that had ended: a table, not whole states."""

from msgspec import Struct

from realtime.history.day_file import minute_of
from realtime.history.exact import MINUTE_US, MONEY_SCALE, plain
from realtime.history.reading import HistoryReader


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
    found: dict[str, AccountAt] = {}
    for file in reader.days_back(at_us)[:2]:
        for row in reader.read_day(
            file,
            "SELECT label, tier, paper, max(minute), equity, last_equity, cash, power,"
            " open_orders, positions, stale FROM equity JOIN account ON account.n = acc"
            " WHERE minute <= ? GROUP BY acc",
            (minute_of(at_us),),
        ):
            found.setdefault(
                row[0],
                AccountAt(
                    label=row[0],
                    tier=row[1],
                    paper=bool(row[2]),
                    valued_at_us=row[3] * MINUTE_US,
                    equity=plain(row[4], MONEY_SCALE),
                    last_equity=plain(row[5], MONEY_SCALE),
                    cash=plain(row[6], MONEY_SCALE),
                    buying_power=plain(row[7], MONEY_SCALE),
                    open_orders=row[8],
                    positions=row[9],
                    is_stale=bool(row[10]),
                ),
            )
    return found
