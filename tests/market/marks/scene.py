"""A daemon with market data against the simulator, in virtual time."""

from collections.abc import Awaitable, Callable
from decimal import Decimal

from msgspec import structs

from realtime.config.settings import MarketSettings, Settings
from realtime.core.mark import AccountMark
from realtime.simulator.app import Simulator
from tests import virtual
from tests.fleet import Fleet, fleet


def with_market(settings: Settings, **fields: object) -> Settings:
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
    **fields: object,
) -> None:
    """Run a daemon with market data in virtual time."""

    async def scene() -> None:
        simulator = Simulator(
            accounts=accounts,
            seed=seed,
            market=market,
            clock=virtual.nanosecond_clock,
        )
        simulator.market_data.settings.plan = plan  # type: ignore[assignment]
        async with (
            simulator,
            fleet(
                simulator, virtual.world(seed), configure=lambda s: with_market(s, **fields)
            ) as running,
        ):
            await running.until(running.all_synced)
            await act(running)

    virtual.run(scene)


def mark_of(running: Fleet, label: str) -> AccountMark:
    mark = running.record(label).mark
    assert mark is not None, f"{label} has no mark"
    return mark


def broker_equity(running: Fleet, label: str) -> Decimal:
    return Decimal(str(running.simulator.exchange.account(label)["equity"]))
