"""No intent, no order sent: what the coordinator refuses never leaves, and it gets each result."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from realtime.cluster.alone import Alone
from realtime.cluster.coordinator import Intent, IntentOutcome
from realtime.errors import EngineHalted, EngineUnreachable, IntentExists, NotOwner, RealtimeError
from realtime.orders.errors import Declined, Unresolved
from tests.orders.trading import TradingSetup, broker, order, trading
from tests.virtual import run

NEXT_ORDER = {"account_id": "alpha", "client_order_id": "mine-1"}


class Refusing(Alone):
    """Refuses an intent, or the last check after it, with an error."""

    def __init__(
        self, on_intent: Exception | None = None, on_check: Exception | None = None
    ) -> None:
        super().__init__()
        self._on_intent = on_intent
        self._on_check = on_check
        self.intents: list[Intent] = []
        self.settled: list[tuple[str, str, IntentOutcome]] = []

    async def intend(self, intent: Intent) -> None:
        await asyncio.sleep(0.002)
        self.intents.append(intent)
        if self._on_intent is not None:
            raise self._on_intent

    def settle(self, account: str, client_order_id: str, outcome: IntentOutcome) -> None:
        self.settled.append((account, client_order_id, outcome))

    def check(self, account: str, *, reduces_risk: bool = False) -> None:
        if self._on_check is not None and self.intents:
            raise self._on_check


def place(coordinator: Refusing, check: Callable[[TradingSetup], None], journal: Path) -> object:
    """Place an order; return what came of it."""

    async def main() -> object:
        async with (
            broker() as simulator,
            trading(simulator, coordinator=coordinator, journal=journal) as setup,
        ):
            try:
                return await setup.place(order(**NEXT_ORDER))
            except (Declined, Unresolved) as error:
                return error
            finally:
                check(setup)

    return run(main)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NotOwner("beta owns alpha", owner="beta"), "not_owner"),
        (EngineUnreachable("no engine answered within 4 s"), "engine_unreachable"),
        (EngineHalted("halted by ops"), "orders_halted"),
        (IntentExists("another order", is_same=False), "invalid_order"),
    ],
)
def test_what_the_coordinator_refuses_never_leaves(
    error: RealtimeError, code: str, tmp_path: Path
) -> None:
    """A definite refusal, settled as refused; the broker has nothing."""
    check_refused(Refusing(on_intent=error), code, tmp_path)


def test_an_order_whose_owner_stopped_being_it_meanwhile_never_leaves(tmp_path: Path) -> None:
    """It was recorded, and the deadline has passed before its first byte."""
    check_refused(Refusing(on_check=NotOwner("the lease has ended")), "not_owner", tmp_path)


def check_refused(coordinator: Refusing, code: str, directory: Path) -> None:
    ids: list[str] = []
    journal = directory / "orders.jsonl"
    result = place(coordinator, lambda setup: ids.extend(setup.ids("alpha")), journal)
    assert isinstance(result, Declined)
    assert (result.code, result.reached_broker) == (code, False)
    assert "mine-1" not in ids
    assert coordinator.settled == [("alpha", "mine-1", "refused")]


def test_an_order_that_another_daemon_recorded_is_looked_up_and_not_sent(tmp_path: Path) -> None:
    """Its status is unknown until the broker shows it; a second one never leaves."""
    coordinator = Refusing(IntentExists("recorded by beta", is_same=True))
    ids: list[str] = []
    result = place(coordinator, lambda setup: ids.extend(setup.ids("alpha")), tmp_path / "o.jsonl")
    assert isinstance(result, Unresolved)
    assert "mine-1" not in ids
    assert coordinator.settled == []


def test_the_intent_names_the_order_and_is_settled_once_the_broker_has_it(tmp_path: Path) -> None:
    """What a daemon that takes over needs to look it up and to count it."""
    coordinator = Refusing()
    ids: list[str] = []
    place(coordinator, lambda setup: ids.extend(setup.ids("alpha")), tmp_path / "o.jsonl")
    (intent,) = coordinator.intents
    assert (intent.account, intent.client_order_id) == ("alpha", "mine-1")
    assert (intent.symbol, intent.side, intent.qty) == ("AAPL", "buy", "1")
    assert ids.count("mine-1") == 1
    assert coordinator.settled == [("alpha", "mine-1", "placed")]
