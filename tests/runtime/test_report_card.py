"""Outages, missed events and latencies are counted as the store changes."""

import msgspec

from realtime.analytics.report_card import ReportDay
from realtime.core.link import Link
from realtime.core.model import Account, AccountLabel, ExecutionId, Order, OrderId, TradeUpdate
from realtime.core.state import AccountState, Execution
from realtime.history.queue import HistoryQueue, ReportRow
from realtime.runtime.report_card import ReportCard
from realtime.store.records import Profile
from realtime.store.store import Store

LABEL = AccountLabel("alpha")
SYNCED = Link(state="synced", stale_reason=None)
DAY = 20_000
NOON = DAY * 86_400.0 + 43_200


class Scene:
    """A store, a clock that is set, and the card."""

    def __init__(self, known: dict[str, ReportDay] | None = None) -> None:
        self.now = NOON
        self.store = Store(boot="b")
        self.queue = HistoryQueue()
        self.card = ReportCard(
            self.store, self.queue, clients=lambda: (), clock=lambda: self.now, known=known
        )
        self.store.subscribe(self.card.handle_change)
        self.store.add(Profile(label=LABEL), now=self.now)
        account = Account(id="a", account_number="PA0EXAMPLE01")
        self.store.update(LABEL, now=self.now, state=AccountState(account=account))

    def link(self, at: float, link: Link) -> None:
        self.now = at
        self.store.update(LABEL, now=at, link=link)

    def written(self) -> dict[int, ReportDay]:
        self.card.write()
        rows: dict[int, ReportDay] = {}
        while (entry := self.queue.pop()) is not None:
            assert isinstance(entry, ReportRow)
            rows[entry.day] = msgspec.json.decode(entry.body, type=ReportDay)
        return rows


def lost(reason: str, state: str = "waiting") -> Link:
    return Link(state=state, stale_reason=reason, stale_since=NOON)  # type: ignore[arg-type]


def test_silence_counts_until_the_account_is_in_sync_again() -> None:
    scene = Scene()
    scene.link(NOON + 10, SYNCED)
    scene.link(NOON + 20, lost("silent", "deaf"))
    scene.link(NOON + 21, lost("connecting", "connecting"))
    scene.link(NOON + 51, SYNCED)
    scene.link(NOON + 60, lost("1006"))
    scene.link(NOON + 70, SYNCED)
    day = scene.written()[DAY]
    assert (day.silent, day.silent_s, day.not_synced_s) == (1, 31.0, 41.0)


def test_outages_count_from_the_first_sync_with_their_seconds_and_causes() -> None:
    scene = Scene()
    scene.link(NOON + 5, lost("no snapshot yet"))
    scene.link(NOON + 10, SYNCED)
    assert scene.written()[DAY].outages == 0
    scene.link(NOON + 20, lost("1006"))
    scene.link(NOON + 25, lost("1006 again"))  # the same outage
    scene.link(NOON + 50, SYNCED)
    scene.link(NOON + 60, lost("silent", "deaf"))
    scene.now = NOON + 70
    day = scene.written()[DAY]
    assert (day.outages, day.silent, day.not_synced_s, day.longest_s) == (2, 1, 40.0, 30.0)
    assert day.causes == {"1006": 1, "silent": 1}


def test_an_outage_over_midnight_is_divided() -> None:
    scene = Scene()
    scene.link(NOON, SYNCED)
    midnight = (DAY + 1) * 86_400.0
    scene.link(midnight - 30, lost("1006"))
    scene.now = midnight + 10
    assert scene.written()[DAY].not_synced_s == 30.0
    scene.link(midnight + 15, SYNCED)
    assert scene.written()[DAY + 1].not_synced_s == 15.0


def test_executions_that_a_read_found_are_missed_events() -> None:
    scene = Scene()
    execution = Execution(
        execution_id=ExecutionId("e"),
        order_id=OrderId("o"),
        symbol="AAPL",
        side="buy",
        qty="1",
        price="1",
        at=None,
    )
    account = Account(id="a", account_number="PA0EXAMPLE01", cash="1")
    state = AccountState(account=account)
    scene.store.update(LABEL, now=scene.now, state=state, recovered=(execution,))
    assert scene.written()[DAY].recovered == 1


def test_push_latency_is_from_the_brokers_time_to_visibility() -> None:
    scene = Scene()
    update = TradeUpdate(
        event="fill", order=Order(id=OrderId("o")), timestamp="2024-10-04T12:00:00Z"
    )
    account = Account(id="a", account_number="PA0EXAMPLE01", cash="2")
    scene.store.update(
        LABEL, now=NOON + 0.03, state=AccountState(account=account), updates=(update,)
    )
    day = scene.written()[DAY]
    assert sum(day.push) == 1
    assert day.push.index(1) == 5  # between 25 and 50 ms


def test_a_restart_goes_on_with_what_was_written() -> None:
    scene = Scene({"alpha": ReportDay(outages=3, not_synced_s=7.0)})
    assert scene.written()[DAY].outages == 3
