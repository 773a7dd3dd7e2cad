"""Weeks of closes and trades for comparisons, in a ledger as the daemon writes it.

`momentum` has true skill, `echo` copies it, `noise` has none; `late` starts after two weeks,
`holes` has two days that were not recorded, `idle` never traded. The others are random.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

from msgspec import structs

from realtime.analytics.comparison import BenchmarkPrices
from realtime.api.history.client import HistoryClient
from realtime.api.listener import serve
from realtime.core.model import AccountLabel
from realtime.core.trading_days import close_at
from realtime.store.records import Profile
from realtime.store.store import Store
from tests.analytics.ledgers import FIRST, LedgerScene, days, walk
from tests.api.documents.made import ACCOUNT, LIVE, state_of
from tests.api.reader import Clock, application

NAMES = ("momentum", "echo", "noise", "pairs", "meanrev", "late", "holes", "idle")
TIERS = ("tiny", "small", "medium", "large")
BALANCES = {"tiny": 1_000, "small": 5_000, "medium": 25_000, "large": 100_000}
SESSIONS = 25


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
        for day in known[1:-1:2]:
            buy, sell = f"{rng.uniform(90, 110):.2f}", f"{rng.uniform(90, 110):.2f}"
            qty = str(max(1, start // 10_000))
            book = rng.choice(("mom", "pair", "hand"))
            scene.fill(label, day, "buy", qty, buy, client_order_id=f"{book}-{day}-a", second=1)
            scene.fill(label, day, "sell", qty, sell, client_order_id=f"{book}-{day}-b", second=2)
    scene.close()


def make_store(labels: Sequence[str]) -> Store:
    """The accounts as they are now."""
    store = Store(boot="b00t")
    for label in labels:
        name, tier = AccountLabel(label), tier_of(label)
        balance = str(BALANCES[tier])
        profile = Profile(label=name, tier=tier, paper=True, initial_balance=balance)
        store.add(profile, now=NOW - 100)
        account = structs.replace(ACCOUNT, equity=balance, last_equity=balance, cash=balance)
        store.update(
            name, now=NOW - 10, link=LIVE, state=structs.replace(state_of(), account=account)
        )
    return store


NOW = close_at(days(SESSIONS + 1, FIRST)[-1]) + 3600.0


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
        app = application(store, clock, history=history, read_benchmark=read_benchmark, **more)
        async with serve(app, "127.0.0.1", 0) as port:
            yield f"http://127.0.0.1:{port}"
