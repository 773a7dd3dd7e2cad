"""Paced subscriptions: rows of some accounts, one delivery an interval, and the totals of all."""

import pytest
from msgspec import structs

from realtime.api.events.paced import MAX_FILLS
from realtime.core.model import AccountLabel, ExecutionId, TradeUpdate
from realtime.store.store import Store
from tests.api.documents.made import ACCOUNT, NOW, fleet, order
from tests.api.events.listener import Event
from tests.api.events.test_broadcaster import ALPHA, Line, line, pushing
from tests.api.reader import Reader

PACED = "?types=row,fleet&rows=alpha&interval=0.5"
BRAVO = AccountLabel("bravo")


def change(store: Store, label: AccountLabel, equity: str) -> None:
    record = store.get(label)
    assert record is not None
    account = structs.replace(record.state.account or ACCOUNT, equity=equity)
    store.update(label, now=NOW, state=structs.replace(record.state, account=account))


def fill(store: Store, label: AccountLabel, number: int) -> None:
    update = TradeUpdate(
        event="fill",
        order=order(number, status="filled"),
        execution_id=ExecutionId(f"e-{number}"),
        qty="1",
        price="10",
        timestamp="2026-10-06T14:00:00Z",
    )
    store.update(label, now=NOW, updates=(update,))


async def until_fleet(line: Line) -> tuple[list[Event], Event]:
    """Rows up to the next event `fleet`, and that."""
    rows = []
    while (event := await line.next("row", "fleet")).name == "row":
        rows.append(event)
    return rows, event


async def test_only_selected_rows_are_sent() -> None:
    store = fleet()
    async with pushing(store) as (port, _), line(port, PACED) as reader:
        rows, first = await until_fleet(reader)
        assert [row.data["account_id"] for row in rows] == ["alpha"]
        assert first.data["totals"][0]["equity"] == "209562.8"
        for number in range(5):
            change(store, ALPHA, str(1000 + number))
            change(store, BRAVO, str(2000 + number))
        rows, second = await until_fleet(reader)
        assert [(row.data["account_id"], row.data["equity"]) for row in rows] == [("alpha", "1004")]
        assert second.data["totals"][0]["equity"] == "12008"  # 1004 + 2004 + 9000


async def test_the_newest_fills_of_all_accounts_come_with_the_totals() -> None:
    store = fleet()
    async with pushing(store) as (port, _), line(port, PACED) as reader:
        await until_fleet(reader)
        for number in range(100, 130):
            fill(store, BRAVO, number)
        _, event = await until_fleet(reader)
        ids = [sample["execution_id"] for sample in event.data["fills"]]
        assert ids == [f"e-{number}" for number in range(130 - MAX_FILLS, 130)]
        assert event.data["fills"][0]["account_id"] == "bravo"
        assert event.data["updates"] == 30


async def test_other_rows_resume_with_the_same_id() -> None:
    """What is new on the screen is sent once; nothing else of the snapshot comes again."""
    store = fleet()
    async with pushing(store) as (port, _):
        async with line(port, PACED) as reader:
            _, event = await until_fleet(reader)
        change(store, ALPHA, "1")
        query = PACED.replace("rows=alpha", "rows=bravo") + f"&last_event_id={event.id}"
        async with line(port, query) as reader:
            names = [(await reader.next("row", "fleet", "ready", "link")) for _ in range(3)]
        assert [name.name for name in names] == ["row", "ready", "fleet"]
        assert names[0].data["account_id"] == "bravo"


@pytest.mark.parametrize("interval", ["0.1", "60", "-1", "nan"])
async def test_interval_has_bounds(reader: Reader, interval: str) -> None:
    reply = await reader.get(f"/realtime/events?interval={interval}")
    reply.problem(400, "bad_parameter")
