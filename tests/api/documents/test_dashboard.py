import msgspec

from realtime.api.documents.dashboard import dashboard
from realtime.api.documents.document_cache import ENCODER
from realtime.core.state import EMPTY
from tests.api.documents.made import BOOKS, LOST, record

KEYS = [
    "account_id",
    "as_of",
    "version",
    "stale",
    "stale_since",
    "stale_reason",
    "provisional",
    "link",
    "account",
    "positions",
    "orders",
]


def test_a_dashboard() -> None:
    document = msgspec.json.decode(ENCODER.encode(dashboard(record(state=BOOKS))))
    assert list(document) == KEYS
    assert document["account_id"] == "alpha"
    assert document["provisional"] == ["account", "positions"]
    assert document["link"]["state"] == "synced"
    assert [each["symbol"] for each in document["positions"]] == ["AAPL", "ETHUSD", "TSLA"]
    assert len(document["orders"]) == 5


def test_the_unread_is_null_and_not_empty() -> None:
    document = dashboard(record(state=EMPTY))
    assert (document.account, document.positions, document.orders) == (None, None, None)


def test_empty_is_empty_once_it_was_read() -> None:
    document = dashboard(record())
    assert (document.positions, document.orders) == ([], [])


def test_a_lost_link_marks_the_document_and_keeps_its_figures() -> None:
    document = dashboard(record(state=BOOKS, link=LOST))
    assert document.stale
    assert document.stale_reason == "connection closed (1006)"
    assert document.account is not None
