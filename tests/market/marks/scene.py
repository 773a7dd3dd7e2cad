"""A daemon with market data against the simulator, in virtual time that begins when a test says."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import datetime
from decimal import Decimal

from msgspec import structs

from realtime.config.settings import MarketSettings, Settings
from realtime.core.mark import AccountMark
from realtime.core.trading_day import NEW_YORK
from realtime.runtime.environment import Environment
from realtime.simulator.app import Simulator
from realtime.store.records import Change
from tests import virtual
from tests.fleet import Fleet, fleet


def new_york(text: str) -> float:
    """Epoch seconds of a time in New York."""
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).timestamp()


def with_market(settings: Settings, **fields: object) -> Settings:
    """Add market data with the first account's key."""
    account = settings.accounts[0]
    assert account.credentials is not None
    market = MarketSettings(
        account=account.label,
        credentials=account.credentials,
        data_url=account.trading_url,
        stream_url=account.trading_url.replace("http", "ws", 1),
    )
    return structs.replace(settings, market=structs.replace(market, **fields))


def play(
    act: Callable[[Fleet], Awaitable[None]],
    *,
    accounts: int = 2,
    seed: int = 1,
    plan: str = "plus",
    market: str = "always",
    start: float = virtual.EPOCH_S,
    step_s: float = 0.1,
    books: dict[str, str] | None = None,
    then: Callable[[Fleet], Awaitable[None]] | None = None,
    **fields: object,
) -> None:
    """Run a daemon with market data in virtual time. `start`: epoch seconds. `then`: what follows
    after a restart of the daemon."""

    async def scene() -> None:
        loop = asyncio.get_running_loop()

        def clock() -> float:
            return start + loop.time()

        simulator = Simulator(
            accounts=accounts,
            seed=seed,
            market=market,
            clock=lambda: round(clock() * 1_000_000) * 1000,
            step_s=step_s,
        )
        simulator.market_data.settings.plan = plan  # type: ignore[assignment]
        world = Environment(
            clock=clock,
            rng=random.Random(seed),
            make_connector=lambda: virtual.VirtualConnector(limit=0),
        )

        def configure(settings: Settings) -> Settings:
            return structs.replace(with_market(settings, **fields), books=books or {})

        async with simulator:
            for each in (act, then):
                if each is not None:
                    async with fleet(simulator, world, configure=configure) as running:
                        await running.until(running.all_synced)
                        await each(running)

    virtual.run(scene)


def mark_of(running: Fleet, label: str) -> AccountMark:
    """An account's newest mark."""
    mark = running.record(label).mark
    assert mark is not None, f"{label} has no mark"
    return mark


def follow(running: Fleet) -> list[AccountMark]:
    """Every mark from now on, as clients get them."""
    marks: list[AccountMark] = []

    def add(change: Change) -> None:
        before, after = change.before, change.after
        old = None if before is None else before.mark
        if after is not None and after.mark is not None and after.mark is not old:
            marks.append(after.mark)

    running.daemon.store.subscribe(add)
    return marks


def broker_equity(running: Fleet, label: str) -> Decimal:
    """What the broker has now."""
    return Decimal(str(running.simulator.exchange.account(label)["equity"]))
