import msgspec

from realtime.api.documents.dashboard import make_dashboard
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


def test_dashboard_has_all_of_one_account() -> None:
    document = msgspec.json.decode(ENCODER.encode(make_dashboard(record(state=BOOKS))))
    assert list(document) == KEYS
    assert document["account_id"] == "alpha"
    assert document["provisional"] == ["account", "positions"]
    assert document["link"]["state"] == "synced"
    assert [each["symbol"] for each in document["positions"]] == ["AAPL", "ETHUSD", "TSLA"]
    assert len(document["orders"]) == 5


def test_account_that_was_never_read_is_null_and_not_empty() -> None:
    document = make_dashboard(record(state=EMPTY))
    assert (document.account, document.positions, document.orders) == (None, None, None)


def test_account_that_was_read_has_empty_lists() -> None:
    document = make_dashboard(record())
    assert (document.positions, document.orders) == ([], [])


def test_lost_link_marks_the_document_stale_and_keeps_its_figures() -> None:
    document = make_dashboard(record(state=BOOKS, link=LOST))
    assert document.stale
    assert document.stale_reason == "connection closed (1006)"
    assert document.account is not None
