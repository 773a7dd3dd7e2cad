"""The table of all accounts: one row of figures for each."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from realtime.api.documents.csv_format import Format
from realtime.api.documents.filters import MAX_ACCOUNTS, AsOf, FleetLimit, Offset, ShortWord, States
from realtime.api.documents.marks import format_cents
from realtime.api.documents.timestamps import format_millis
from realtime.core.decimals import number, plain
from realtime.core.model import AccountLabel
from realtime.store.records import Record

Column = Literal[
    "configured",
    "account_id",
    "name",
    "tier",
    "paper",
    "equity",
    "last_equity",
    "cash",
    "buying_power",
    "day_pl",
    "initial_balance",
    "net_flows",
    "flows_today",
    "total_pl",
    "total_pl_pct",
    "total_pl_unknown",
    "positions",
    "open_orders",
    "connected",
    "stale",
    "as_of",
    "equity_mark",
    "day_pl_mark",
]
FOUR_DECIMALS = Decimal("0.0001")
MONEY_COLUMNS = frozenset(
    {
        "equity", "last_equity", "cash", "buying_power", "day_pl",
        "initial_balance", "net_flows", "flows_today", "total_pl", "total_pl_pct",
        "equity_mark", "day_pl_mark",
    }
)  # fmt: skip


MARK_COLUMNS = frozenset({"equity_mark", "day_pl_mark"})
"""Columns that exist only with market data."""


class AccountsQuery(Struct, frozen=True, kw_only=True):
    """Parameters of the table."""

    state: States = ()
    tier: Annotated[
        tuple[ShortWord, ...], Meta(max_length=100, description="Only accounts of these tiers.")
    ] = ()
    account_id: Annotated[
        tuple[ShortWord, ...],
        Meta(max_length=1000, description="Only these accounts, by their labels."),
    ] = ()
    sort: Annotated[
        Column,
        Meta(
            description="A column; `configured` is the order of the file. Unknown values come last."
        ),
    ] = "configured"
    order: Annotated[Literal["asc", "desc"], Meta(description="The direction of `sort`.")] = "asc"
    limit: FleetLimit = MAX_ACCOUNTS
    offset: Offset = 0
    format: Format = "json"
    as_of: AsOf = None


class AccountRow(Struct, frozen=True, kw_only=True):
    """One account's figures: the broker's decimal strings, `None` while unknown."""

    account_id: AccountLabel
    name: str | None
    tier: str | None
    paper: bool
    equity: str | None
    last_equity: str | None
    cash: str | None
    buying_power: str | None
    day_pl: str | None
    initial_balance: str | None = None
    """From the configuration."""
    net_flows: str | None = None
    """Deposits minus withdrawals since the initial balance."""
    flows_today: str | None = None
    """Deposits minus withdrawals since the last close; `day_pl` contains them."""
    total_pl: str | None = None
    """Equity minus initial balance and net flows."""
    total_pl_pct: str | None = None
    """`total_pl` in percent of the initial balance, to four decimals."""
    total_pl_unknown: str | None = None
    """Why `total_pl` is unknown; None where it is known."""
    positions: int | None
    open_orders: int | None
    connected: bool
    stale: bool
    as_of: str
    equity_mark: str | UnsetType | None = UNSET
    """Equity marked to market; absent without market data."""
    day_pl_mark: str | UnsetType | None = UNSET
    """`equity_mark` minus equity at the last close."""


class _TableFields(Struct, frozen=True, kw_only=True):
    as_of: str
    total: int


class AccountsDocument(_TableFields, frozen=True, kw_only=True):
    """The table; `total` rows matched before `limit` and `offset`."""

    accounts: list[AccountRow]


class AccountsJson(_TableFields, frozen=True, kw_only=True):
    """The same with encoded rows."""

    accounts: list[Raw]


def make_account_row(record: Record) -> AccountRow:
    """The row of one record."""
    profile, state, account = record.profile, record.state, record.state.account
    total, mark = _get_total_pl(record), record.mark
    return AccountRow(
        account_id=profile.label,
        name=profile.name,
        tier=profile.tier,
        paper=profile.paper,
        equity=account.equity if account else None,
        last_equity=account.last_equity if account else None,
        cash=account.cash if account else None,
        buying_power=account.buying_power if account else None,
        day_pl=_day_pl(account.equity, account.last_equity) if account else None,
        initial_balance=profile.initial_balance,
        net_flows=total.net_flows,
        flows_today=total.flows_today,
        total_pl=total.amount,
        total_pl_pct=total.percent,
        total_pl_unknown=total.unknown,
        positions=len(state.positions) if account else None,
        open_orders=state.open_orders if account else None,
        connected=record.link.is_synced,
        stale=record.link.is_stale,
        as_of=format_millis(record.as_of),
        equity_mark=UNSET if mark is None else format_cents(mark.equity),
        day_pl_mark=UNSET if mark is None else format_cents(mark.day_pl),
    )


def is_selected(record: Record, query: AccountsQuery) -> bool:
    """Whether a record matches the query's filters."""
    return (
        (not query.state or record.link.state in query.state)
        and (not query.tier or record.profile.tier in query.tier)
        and (not query.account_id or record.profile.label in query.account_id)
    )


def sort_rows(rows: Iterable[AccountRow], query: AccountsQuery) -> list[AccountRow]:
    """The rows sorted; those without a value in the column come last in both directions."""
    column, descending = query.sort, query.order == "desc"
    if column == "configured":
        return list(rows)[:: -1 if descending else 1]
    known: list[AccountRow] = []
    unknown: list[AccountRow] = []
    for row in rows:
        (unknown if getattr(row, column) in (None, UNSET) else known).append(row)
    known.sort(key=lambda row: _comparable(row, column), reverse=descending)
    return known + unknown


def _comparable(row: AccountRow, column: str) -> Decimal | str | int:
    value: str | int = getattr(row, column)
    if isinstance(value, int):
        return value
    return number(value) if column in MONEY_COLUMNS else value.casefold()


class _TotalPl(Struct, frozen=True, kw_only=True):
    net_flows: str | None = None
    flows_today: str | None = None
    amount: str | None = None
    percent: str | None = None
    unknown: str | None = None


def _get_total_pl(record: Record) -> _TotalPl:
    account, balance, flows = record.state.account, record.profile.initial_balance, record.net_flows
    if balance is None:
        return _TotalPl(unknown="no initial_balance is configured")
    if account is None or not account.equity:
        return _TotalPl(unknown="the account was not read yet")
    if flows is None or (flows.account_id, flows.initial_balance) != (account.id, balance):
        return _TotalPl(unknown="deposits and withdrawals were not read yet")
    if flows.net is None:
        return _TotalPl(unknown=flows.unknown)
    amount = number(account.equity) - number(balance) - number(flows.net)
    percent = (amount / number(balance) * 100).quantize(FOUR_DECIMALS) if number(balance) else None
    return _TotalPl(
        net_flows=flows.net,
        flows_today=flows.today,
        amount=plain(amount),
        percent=None if percent is None else plain(percent),
    )


def _day_pl(equity: str | None, last_equity: str | None) -> str | None:
    if not equity or not last_equity:
        return None
    return plain(number(equity) - number(last_equity))
