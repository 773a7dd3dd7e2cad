"""Weeks of invented trading before the start: accounts with strategies that can be compared.

The first account has true skill: it knows most of the coming moves. The second has none. The third
copies the first. The others have none either, by other chance. All trade intraday at the synthetic
prices that market data serves, and hold nothing overnight. Order ids begin with `mom-`, `prs-` or
`mrv-`, by strategy.
"""

from collections.abc import Callable, Sequence
from datetime import date, time, timedelta
from decimal import ROUND_DOWN, Decimal
from random import Random

from msgspec import Struct, structs

from realtime.simulator.exchange.engine import Exchange
from realtime.simulator.exchange.timestamps import MINUTE, SECOND, new_york_date
from realtime.simulator.exchange.venue.calendar import (
    instant,
    is_trading_day,
    previous_trading_day,
)

PriceAt = Callable[[str, int], Decimal]
"""symbol, epoch ns → price then"""

SYMBOLS = ("AAPL", "MSFT", "NVDA", "TSLA", "SPY")
TRADES_A_DAY = 3
SHARE = Decimal("0.3")
"""Part of the cash in one trade."""

SKILL = 0.93
"""Part of the trades of the skilled account whose direction is right."""

OPENS, LAST_ENTRY, MINUTES_HELD = time(9, 45), time(14, 45), (20, 60)
DEPOSIT_SHARE = Decimal("0.2")

PREFIXES = ("mom", "prs", "mom", "mrv")


class _Trade(Struct, frozen=True):
    """One round trip as a part of the cash."""

    symbol: str
    is_long: bool
    opened_at: int
    closed_at: int


def add_past(exchange: Exchange, labels: Sequence[str], days: int, price_at: PriceAt) -> None:
    """Book `days` calendar days of trading, until the last trading day before today."""
    now = exchange.now()
    today = new_york_date(now)
    first = today - timedelta(days=days)
    trading_days = [
        day for n in range(days) if is_trading_day(day := first + timedelta(days=n)) and day < today
    ]
    if len(trading_days) < 2:
        return
    skilled: list[_Trade] = []
    for index, label in enumerate(labels):
        rng = Random(f"{exchange.seed}:{label}:past")
        if index == 2:
            trades = [_later(rng, trade) for trade in skilled]
        else:
            skill = SKILL if index == 0 else 0.5
            trades = [t for day in trading_days[1:] for t in _day(rng, day, skill, price_at)]
        if index == 0:
            skilled = trades
        # The first day has no trades: its close is what returns are counted from.
        exchange.open_in_the_past(label, instant(trading_days[0], time(9, 0)))
        deposit_on = trading_days[len(trading_days) // 2] if index == 4 else None
        _book(exchange, label, trades, PREFIXES[index % len(PREFIXES)], deposit_on, price_at)
        exchange.end_past(label, previous_trading_day(today).isoformat())


def _later(rng: Random, trade: _Trade) -> _Trade:
    """The same trade by someone who copies it, some minutes late."""
    return structs.replace(
        trade,
        opened_at=trade.opened_at + rng.randint(1, 8) * MINUTE,
        closed_at=trade.closed_at + rng.randint(1, 8) * MINUTE,
    )


def _day(rng: Random, day: date, skill: float, price_at: PriceAt) -> list[_Trade]:
    opens, last = instant(day, OPENS), instant(day, LAST_ENTRY)
    slot = (last - opens) // TRADES_A_DAY
    trades = []
    for number in range(TRADES_A_DAY):
        opened_at = opens + number * slot + rng.randrange(0, slot // 4, SECOND)
        closed_at = opened_at + rng.randint(*MINUTES_HELD) * MINUTE
        symbol = rng.choice(SYMBOLS)
        rises = price_at(symbol, closed_at) >= price_at(symbol, opened_at)
        is_right = rng.random() < skill
        trades.append(_Trade(symbol, rises == is_right, opened_at, closed_at))
    return trades


def _book(
    exchange: Exchange,
    label: str,
    trades: Sequence[_Trade],
    prefix: str,
    deposit_on: date | None,
    price_at: PriceAt,
) -> None:
    deposit_at = None if deposit_on is None else instant(deposit_on, time(9, 15))
    for number, trade in enumerate(trades):
        if deposit_at is not None and trade.opened_at > deposit_at:
            amount = (exchange.cash(label) * DEPOSIT_SHARE).quantize(Decimal(1))
            exchange.deposit_in_the_past(label, amount, deposit_at)
            deposit_at = None
        entry, leave = (
            price_at(trade.symbol, trade.opened_at),
            price_at(trade.symbol, trade.closed_at),
        )
        is_long = trade.is_long or not exchange.may_short(label)
        qty = (exchange.cash(label) * SHARE / entry).quantize(Decimal(1), ROUND_DOWN)
        if not qty:
            continue
        sides = ("buy", "sell") if is_long else ("sell", "buy")
        for side, price, at in zip(
            sides, (entry, leave), (trade.opened_at, trade.closed_at), strict=True
        ):
            exchange.trade_in_the_past(
                label,
                trade.symbol,
                side,
                qty,
                price,
                at=at,
                client_order_id=f"{prefix}-past-{label}-{number}-{side}",
            )
