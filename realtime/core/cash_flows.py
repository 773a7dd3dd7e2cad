"""Deposits and withdrawals of an account, without those that are its initial balance.

The broker lists them as activities of the types in `FLOW_TYPES`; dividends, interest and fees are
results and not flows. Alpaca lists the opening balance, too (a JNLC on paper), so some of the first
flows are the initial balance itself.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from msgspec import Struct

from realtime.core.decimals import number, plain
from realtime.core.model import Account

CASH_TYPES = frozenset({"CSD", "CSW", "JNLC", "ACATC"})
SECURITIES_TYPES = frozenset({"JNLS", "ACATS"})
FLOW_TYPES = tuple(sorted(CASH_TYPES | SECURITIES_TYPES))

VOID_STATUSES = frozenset({"canceled", "correct"})
"""Activities that do not count: canceled ones, and those that a correction replaces."""


class CashFlow(Struct, frozen=True, kw_only=True, gc=False):
    """One activity that moves money or securities into or out of an account."""

    id: str
    activity_type: str
    date: str | None = None
    net_amount: str | None = None
    """Signed: negative for a withdrawal."""
    status: str | None = None


class NetFlows(Struct, frozen=True, kw_only=True, gc=False):
    """Deposits minus withdrawals since an account had its initial balance."""

    account_id: str
    """The broker's id of the account: a label may get another account."""
    initial_balance: str
    net: str | None
    """None where it is unknown."""
    unknown: str | None = None
    """Why it is unknown."""
    today: str | None = None
    """Deposits minus withdrawals since the last close; None where unknown."""
    read_at: float
    """Epoch seconds by our clock."""


def get_net_flows(
    flows: Sequence[CashFlow],
    *,
    account: Account,
    initial_balance: str,
    is_complete: bool,
    now: float,
) -> NetFlows:
    """The net flows of an account since its initial balance.

    The initial balance is the first flows that add up to it; else the first flow, if it is of the
    account's first day. Without one of these, the initial balance is not known among the flows.
    """

    def make(
        net: Decimal | None, unknown: str | None = None, later: Sequence[CashFlow] | None = None
    ) -> NetFlows:
        """`later`: the flows after the initial balance; None where they are unknown."""
        return NetFlows(
            today=None if later is None else plain(_sum_since_close(later, now)),
            account_id=account.id,
            initial_balance=initial_balance,
            net=None if net is None else plain(net),
            unknown=unknown,
            read_at=now,
        )

    # Ids begin with the time of creation in New York, so they sort as times do.
    counted = sorted(
        (flow for flow in flows if flow.status not in VOID_STATUSES), key=lambda f: f.id
    )
    if not is_complete:
        return make(None, "too many deposits and withdrawals to read")
    if any(flow.activity_type not in CASH_TYPES for flow in counted):
        return make(None, "securities were transferred (JNLS or ACATS), their value is unknown")
    if any(flow.net_amount is None for flow in counted):
        return make(None, "a deposit or withdrawal without an amount")
    amounts = [number(flow.net_amount) for flow in counted]
    if not amounts:
        return make(Decimal(), later=())
    total, balance = Decimal(), number(initial_balance)
    for index, amount in enumerate(amounts):
        total += amount
        if total == balance:
            return make(sum(amounts[index + 1 :], Decimal()), later=counted[index + 1 :])
    created_at = account.created_at
    if isinstance(created_at, str) and counted[0].date == created_at[:10]:
        return make(sum(amounts[1:], Decimal()), later=counted[1:])
    return make(None, "no first deposits add up to initial_balance")


def _sum_since_close(flows: Sequence[CashFlow], now: float) -> Decimal:
    """What `last_equity` does not contain: the flows dated after the last close.

    `last_equity` is that of the previous trading day. Holidays are not known here: on the day after
    one, a flow of the holiday counts as contained, and so as part of the day's change.
    """
    close = _previous_weekday(new_york_date(now)).isoformat()
    return sum((number(flow.net_amount) for flow in flows if (flow.date or "") > close), Decimal())


def _previous_weekday(day: date) -> date:
    return day - timedelta(days=max(1, day.isoweekday() - 5 if day.isoweekday() > 1 else 3))


def new_york_date(now: float) -> date:
    """The date in New York: UTC-4 from the second Sunday of March, 02:00, to the first of November.

    Computed here, since not every system has a time zone database.
    """
    standard = datetime.fromtimestamp(now, UTC) - timedelta(hours=5)
    starts = _sunday(standard.year, 3, 2) + timedelta(hours=2)
    ends = _sunday(standard.year, 11, 1) + timedelta(hours=1)  # 02:00 by summer time
    is_summer = starts <= standard.replace(tzinfo=None) < ends
    return (standard + timedelta(hours=1 if is_summer else 0)).date()


def _sunday(year: int, month: int, count: int) -> datetime:
    first = datetime(year, month, 1)  # noqa: DTZ001 - a time of day in New York
    return first + timedelta(days=(7 - first.isoweekday()) % 7 + 7 * (count - 1))
