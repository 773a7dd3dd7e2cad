"""Answers from the past, at chosen times."""

from realtime.simulator.exchange.engine import AccountSpec, Exchange
from realtime.simulator.faults.registry import FaultRegistry
from realtime.simulator.faults.requests import LaggingPositions, StaleOrders
from realtime.simulator.rest.stale_reads import StateHistory, VersionHistory, filter_recent
from tests.simulator.client import MARKET_BUY, RESTING_BUY


class World:
    """An exchange, its past, and a clock that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0
        self.exchange = Exchange(seed=7, clock=self.epoch_ns)
        self.exchange.open_account(AccountSpec(label="alpha", account_number="PA0SIM000001"))
        self.board = FaultRegistry(lambda: self.now)
        self.history = StateHistory(self.exchange, self.board)
        self.exchange.on_update = self.history.handle_event

    def epoch_ns(self) -> int:
        return 1_795_000_000_000_000_000 + int(self.now * 1e9)

    def buy(self) -> None:
        self.exchange.submit("alpha", MARKET_BUY)
        for _ in range(20):
            self.exchange.advance()
        self.history.step()

    def symbols(self, seconds: float) -> list[object]:
        return [each["qty"] for each in self.history.positions("alpha", seconds)]


def test_version_at_a_time_is_the_last_one_before_it() -> None:
    versions: VersionHistory[str] = VersionHistory()
    versions.add(1.0, "a")
    versions.add(2.0, "b")
    assert [versions.at(time) for time in (0.9, 1.0, 1.9, 2.0, 9.0)] == [None, "a", "a", "b", "b"]


def test_versions_are_bounded() -> None:
    versions: VersionHistory[int] = VersionHistory()
    for n in range(10_000):
        versions.add(float(n), n)
    assert versions.at(9_999.0) == 9_999
    assert versions.at(1.0) is None


def test_positions_lag_by_the_configured_seconds() -> None:
    world = World()
    world.board.add(LaggingPositions(seconds=10))
    world.now = 105.0
    world.buy()
    world.now = 108.0
    world.buy()
    world.now = 110.0
    assert [world.symbols(seconds) for seconds in (1, 3, 6)] == [["2"], ["1"], []]
    world.now = 120.0
    assert world.symbols(10) == ["2"]


def test_nothing_is_kept_without_a_fault() -> None:
    world = World()
    world.buy()
    assert world.symbols(60) == ["1"]
    fault = world.board.add(LaggingPositions())
    world.board.remove(fault.id)
    world.history.step()
    world.buy()
    assert world.symbols(60) == ["2"]


def test_order_list_is_what_it_was() -> None:
    world = World()
    old = world.exchange.submit("alpha", RESTING_BUY)
    world.board.add(StaleOrders())
    world.now = 105.0
    world.exchange.cancel("alpha", str(old["id"]))
    new = world.exchange.submit("alpha", RESTING_BUY)

    def listed(status: str, seconds: float) -> list[object]:
        return [each["id"] for each in world.history.orders("alpha", {"status": status}, seconds)]

    world.now = 106.0
    assert listed("open", 3) == [old["id"]]
    assert listed("closed", 3) == []
    assert listed("all", 3) == [old["id"]]
    assert listed("open", 0.5) == [new["id"]]
    assert listed("closed", 0.5) == [old["id"]]


def test_recent_activities_are_hidden() -> None:
    items: list[dict[str, object]] = [
        {"id": "new", "transaction_time": "2026-10-06T14:02:13.926115Z"},
        {"id": "old", "transaction_time": "2026-10-06T14:02:03.9Z"},
        {"id": "cash", "created_at": "2026-10-06T14:02:01Z"},
    ]
    clock_ns = 1_791_295_335_000_000_000  # 14:02:15
    assert [each["id"] for each in filter_recent(items, lambda: clock_ns, 5)] == ["old", "cash"]
    assert len(filter_recent(items, lambda: clock_ns, 0.5)) == 3
