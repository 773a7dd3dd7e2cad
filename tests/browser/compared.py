"""Weeks of closes and trades for comparisons, in a ledger as the daemon writes it.

`momentum` has true skill, `echo` copies it, `noise` has none; `late` starts after two weeks,
`holes` has two days that were not recorded, `idle` never traded. The others are random.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import msgspec
from msgspec import structs

from realtime.analytics.compare.documents import BenchmarkPrices
from realtime.analytics.report_card import LATENCY_BOUNDS_S, ReportDay
from realtime.api.history.client import HistoryClient
from realtime.api.listener import serve
from realtime.core.model import AccountLabel, Position
from realtime.core.trading_days import close_at
from realtime.history.exact import US
from realtime.store.records import Profile
from realtime.store.store import Store
from tests.analytics.ledgers import FIRST, LedgerScene, days, walk
from tests.api.documents.made import ACCOUNT, LIVE, order, position, state_of
from tests.api.reader import Clock, application

NAMES = ("momentum", "echo", "noise", "pairs", "meanrev", "late", "holes", "idle")
TIERS = ("tiny", "small", "medium", "large")
BALANCES = {"tiny": 1_000, "small": 5_000, "medium": 25_000, "large": 100_000}
BOOKS = {"momentum": "mom-", "pairs": "pair-"}
OPEN = ((1, "mom"), (2, "pair"), (3, "hand"))
SESSIONS = 25
NOW = close_at(days(SESSIONS + 1, FIRST)[-1]) + 3600.0


def tier_of(label: str) -> str:
    """`momentum` and `echo` are large; the others take turns."""
    if label in ("momentum", "echo"):
        return "large"
    return TIERS[sum(map(ord, label)) % 4]


def labels_of(count: int) -> list[str]:
    """The first named accounts, then numbered ones."""
    return [*NAMES[:count], *(f"account_{number:03}" for number in range(len(NAMES), count))]


def daily_returns(label: str, sessions: int, seed: int = 7) -> list[float]:
    """What an account makes by the day."""
    if label == "echo":
        rng = Random(f"{seed}:echo")
        return [each + rng.gauss(0, 0.0004) for each in daily_returns("momentum", sessions, seed)]
    rng = Random(f"{seed}:{label}")
    drift = 0.0045 if label == "momentum" else 0.0
    return [rng.gauss(drift, 0.006) for _ in range(sessions)]


def write_ledger(path: Path, labels: Sequence[str], sessions: int = SESSIONS) -> None:
    """Closes and round trips of every account."""
    scene = LedgerScene(path)
    calendar = days(sessions + 1, FIRST)
    for label in labels:
        rng = Random(f"trades:{label}")
        start = BALANCES[tier_of(label)]
        equity = walk(start, daily_returns(label, sessions))
        known = calendar[11:] if label == "late" else calendar
        if label == "holes":
            known = [*calendar[:8], *calendar[10:]]
        scene.closes(label, {day: equity[day] for day in known}, exposure=rng.uniform(0.1, 0.9))
        if label == "idle":
            continue
        for book, symbol in (("mom", "KO"), ("pair", "MSFT")):
            scene.fill(
                label, known[1], "buy", "2", "100", symbol=symbol, client_order_id=f"{book}-kept"
            )
        for day in known[1:-1:2]:
            buy, sell = f"{rng.uniform(90, 110):.2f}", f"{rng.uniform(90, 110):.2f}"
            qty = str(max(1, start // 10_000))
            book = rng.choice(("mom", "pair", "hand"))
            scene.fill(label, day, "buy", qty, buy, client_order_id=f"{book}-{day}-a", second=1)
            scene.fill(label, day, "sell", qty, sell, client_order_id=f"{book}-{day}-b", second=2)
    write_reports(scene, labels)
    scene.close()


def write_reports(scene: LedgerScene, labels: Sequence[str]) -> None:
    """A report card: every account was out of sync now and then, `noise` most."""
    today = int(NOW) // 86_400
    for label in labels:
        rng = Random(f"report:{label}")
        for back in range(25):
            outages = rng.choice((0, 0, 0, 1, 3 if label == "noise" else 1))
            seconds = [rng.uniform(4, 90) for _ in range(outages)]
            push = [0] * (len(LATENCY_BOUNDS_S) + 1)
            push[4], push[6], push[9] = 900, 80, rng.randrange(20)
            card = ReportDay(
                outages=outages,
                not_synced_s=sum(seconds),
                longest_s=max(seconds, default=0.0),
                recovered=outages // 2,
                causes={"the broker closed the connection (1006)": outages} if outages else {},
                rate_limited={"read": 1} if outages > 1 else {},
                push=push,
                rest=push[::-1],
            )
            day = today - back
            scene.put_report(label, day, msgspec.json.encode(card).decode())
            for each in seconds:
                at = day * 86_400 + rng.uniform(0, 80_000)
                if at < NOW - 200:
                    scene.gap(label, round(at * US), round((at + each) * US))


def hold(symbol: str) -> Position:
    """Two shares, now at 104."""
    return position(
        symbol, avg_entry_price="100", current_price="104", market_value="208", unrealized_pl="8"
    )


def make_store(labels: Sequence[str]) -> Store:
    """The accounts as they are now."""
    store = Store(boot="b00t")
    for label in labels:
        name, tier = AccountLabel(label), tier_of(label)
        balance = str(BALANCES[tier])
        profile = Profile(label=name, tier=tier, paper=True, initial_balance=balance)
        store.add(profile, now=NOW - 100)
        account = structs.replace(ACCOUNT, equity=balance, last_equity=balance, cash=balance)
        held = [] if label == "idle" else [hold("KO"), hold("MSFT")]
        orders = [order(number, client_order_id=f"{book}-{number}") for number, book in OPEN]
        state = structs.replace(state_of(orders, held), account=account)
        store.update(name, now=NOW - 10, link=LIVE, state=state)
    return store


async def read_benchmark(symbol: str, with_dividends: bool) -> BenchmarkPrices:
    """Prices of a benchmark that goes its own way."""
    closes = walk(500, daily_returns("benchmark", SESSIONS))
    return BenchmarkPrices(
        symbol=symbol,
        feed="iex",
        adjustment="all" if with_dividends else "split",
        return_kind="total" if with_dividends else "price",
        source="market data of the broker",
        closes={day.isoformat(): price for day, price in closes.items()},
    )


@asynccontextmanager
async def served_comparison(path: Path, store: Store, **more: Any) -> AsyncIterator[str]:
    """The address of a server with this ledger, an hour after the last close."""
    clock = Clock()
    clock.now = NOW
    async with HistoryClient(path) as history:
        app = application(
            store, clock, history=history, read_benchmark=read_benchmark, books=BOOKS, **more
        )
        async with serve(app, "127.0.0.1", 0) as port:
            yield f"http://127.0.0.1:{port}"
