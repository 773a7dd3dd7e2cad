"""Selection, order and sums of the rows of `realtime top`."""

import json
from decimal import Decimal

import pytest
from msgspec import structs

from realtime.api.documents.accounts import AccountRow
from realtime.cli.event_follower import EventsLost
from realtime.cli.sse_parser import ServerSentEvent
from realtime.cli.top.rows import AccountRows, sum_totals
from realtime.core.model import AccountLabel
from tests.cli.test_event_format import link

ROW = AccountRow(
    account_id=AccountLabel("alpha"), name=None, tier=None, paper=True, equity="100",
    last_equity="99", cash="1", buying_power="1", day_pl="1", positions=0, open_orders=0,
    connected=True, stale=False, as_of="2026-11-21T04:12:57Z",
)  # fmt: skip


def row(label: str, **fields: object) -> AccountRow:
    return structs.replace(ROW, account_id=AccountLabel(label), **fields)


def state_event(label: str, state: str) -> ServerSentEvent:
    event = link(state)
    data = {**json.loads(event.data), "account_id": label}
    return ServerSentEvent("link", json.dumps(data).encode())


@pytest.fixture
def rows() -> AccountRows:
    """alpha synced, bravo waiting, charlie refused, delta synced but stale."""
    made = AccountRows()
    made.apply(ServerSentEvent("ready", b"{}"))
    made.figures = {
        "alpha": row("alpha", tier="premium", equity="1"),
        "bravo": row("bravo", name="Momentum", equity="2"),
        "charlie": row("charlie", equity=None),
        "delta": row("delta", stale=True, equity="3"),
    }
    states = {"alpha": "synced", "bravo": "waiting", "charlie": "refused", "delta": "synced"}
    for label, state in states.items():
        made.apply(state_event(label, state))
    return made


def labels(selected: list[AccountRow]) -> list[str]:
    return [row.account_id for row in selected]


def test_troubles_first_then_by_column(rows: AccountRows) -> None:
    """Refused, reconnecting, behind; unknown figures come last."""
    first = rows.select("", "equity", troubles_first=True)
    assert labels(first) == ["charlie", "bravo", "delta", "alpha"]
    plain = rows.select("", "equity", troubles_first=False)
    assert labels(plain) == ["delta", "bravo", "alpha", "charlie"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("prem", ["alpha"]), ("momentum", ["bravo"]), ("a", ["alpha", "charlie", "delta", "bravo"])],
)
def test_filter_by_label_name_or_tier(rows: AccountRows, text: str, expected: list[str]) -> None:
    selected = rows.select(text, "account_id", troubles_first=False)
    assert sorted(labels(selected)) == sorted(expected[: len(selected)])
    assert labels(rows.select("zzz", "equity", troubles_first=True)) == []


def test_states_are_unknown_while_events_are_lost(rows: AccountRows) -> None:
    assert rows.state_of("delta") == "stale"
    rows.apply(EventsLost("no connection to the daemon", 1.0))
    assert rows.state_of("alpha") == "unknown"


def test_real_money_and_paper_are_never_added_up() -> None:
    real = sum_totals([row("a", paper=False, equity="5"), row("b")], paper=False)
    paper = sum_totals([row("a", paper=False, equity="5"), row("b")], paper=True)
    assert real is not None
    assert paper is not None
    assert (real.accounts, real.equity) == (1, Decimal(5))
    assert (paper.accounts, paper.equity) == (1, Decimal(100))
    assert sum_totals([row("b")], paper=False) is None


def test_unread_accounts_are_counted_and_not_in_the_sum() -> None:
    unread = row("a", equity=None, day_pl=None, last_equity=None)
    totals = sum_totals([unread, row("b")], paper=True)
    assert totals is not None
    assert (totals.accounts, totals.unread, totals.equity) == (2, 1, Decimal(100))
    assert totals.has_day_pl
    nothing = sum_totals([unread], paper=True)
    assert nothing is not None
    assert not nothing.has_day_pl


def test_the_day_is_unknown_if_one_result_is() -> None:
    totals = sum_totals([row("a", day_pl=None), row("b")], paper=True)
    assert totals is not None
    assert not totals.has_day_pl
