"""Which of a symbol's executions decides its position. Whole histories: `test_any_history.py`."""

from decimal import Decimal

from realtime.core.apply import apply
from realtime.core.model import Symbol
from realtime.core.position_updates import evidence_key
from realtime.core.state import LAG_S, AccountState, ReadProgress
from tests.core.books import ACCOUNT, Books
from tests.core.histories import NOW, START, follow
from tests.core.writing import SECOND

AAA = Symbol("AAA")


def two_fills() -> Books:
    books = Books()
    order_id = books.place()
    books.fill(order_id, 2)
    books.wait(SECOND)
    books.fill(order_id, 3)
    return books


def test_the_newest_execution_decides_in_any_order() -> None:
    """`position_qty` replaces, it is never added."""
    placed, first, second = two_fills().frames
    for frames in ([placed, first, second], [placed, second, first], [second, first, second]):
        assert Decimal(follow(frames).positions[AAA].qty) == 5


def test_an_execution_from_before_the_last_full_read_moves_nothing() -> None:
    """However much the positions of that read lagged."""
    placed, first, _ = two_fills().frames
    seen = ReadProgress(watermark="2026-10-06T14:03:00Z")
    state = AccountState(account=ACCOUNT, progress=seen)
    assert not follow([placed, first], state).positions
    barely = ReadProgress(watermark=f"2026-10-06T14:02:{11 + int(LAG_S) - 1}Z")
    assert follow([placed, first], AccountState(account=ACCOUNT, progress=barely)).positions


def test_a_position_that_does_not_follow_is_an_anomaly_and_taken() -> None:
    """An execution before it was missed; what the broker states now is true all the same."""
    placed, _, second = two_fills().frames
    state = follow([placed])
    applied = apply(state, second, NOW)
    assert "position_gap" in {anomaly.kind for anomaly in applied.anomalies}
    assert applied.state.positions[AAA].qty == "5"


def test_executions_are_sorted_as_the_broker_published_them() -> None:
    """Venues' clocks differ: the time of execution does not decide."""
    _, first, second = two_fills().frames
    keys = []
    for frame in (first, second):
        (execution,) = apply(START, frame, NOW).executions
        keys.append(evidence_key(frame, execution))
    assert keys == sorted(keys)
