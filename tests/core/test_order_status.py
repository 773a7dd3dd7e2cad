"""The table of order statuses, and its diagram in the docs."""

from pathlib import Path

from realtime.core.order_status import (
    CLOSED,
    KNOWN_EVENTS,
    OPEN,
    ORDER_STATUSES,
    REVERSALS,
    format_diagram,
)

DOCS = Path(__file__).parents[2] / "docs" / "order-status.md"


def test_closed_statuses_are_alpacas_terminal_ones() -> None:
    """`done_for_day` and `calculated` are not: the order may trade again."""
    assert {"filled", "canceled", "expired", "rejected", "replaced"} == CLOSED
    assert {"done_for_day", "calculated", "held", "pending_cancel"} <= OPEN


def test_no_status_follows_a_closed_one() -> None:
    """Only a bust reopens an order, and that is no transition of the table."""
    assert all(not ORDER_STATUSES[name].next for name in CLOSED)


def test_every_status_that_follows_is_in_the_table() -> None:
    following = {name for status in ORDER_STATUSES.values() for name in status.next}
    assert following <= ORDER_STATUSES.keys()


def test_an_order_that_trades_is_further_along_than_one_that_waits() -> None:
    """Of two versions of one microsecond the further one is the newer."""
    order = ["held", "pending_new", "accepted", "new", "partially_filled", "pending_cancel"]
    progress = [ORDER_STATUSES[name].progress for name in order]
    assert progress == sorted(set(progress))


def test_events_that_undo_an_execution_are_known() -> None:
    assert REVERSALS < KNOWN_EVENTS


def test_the_diagram_in_the_docs_is_the_table() -> None:
    """`format_diagram()` prints it."""
    assert f"```mermaid\n{format_diagram()}\n```" in DOCS.read_text()
