"""Events as a person reads them."""

import pytest

from realtime.telemetry.log_sentences import TEMPLATES, format_sentence

RETRY = {"wait_s": 64, "attempt": 4}
PLACED = {
    "symbol": "AAPL",
    "side": "buy",
    "type": "market",
    "status": "pending_new",
    "took_ms": 2.0,
}
SENTENCES = [
    ("server.started", {"host": "127.0.0.1", "port": 8090}, "open http://127.0.0.1:8090"),
    ("snapshot.applied", {"positions": 5, "orders": 10}, "loaded: 5 positions, 10 orders"),
    ("link.connected", {"took_s": None}, "connected"),
    ("link.lost", {"reason": "connection closed", "code": 1006}, "lost: connection closed (1006)"),
    ("link.retry_scheduled", RETRY | {"reason": "429"}, "rate-limited, retry in 64 s (attempt 4)"),
    ("link.retry_scheduled", RETRY, "retry in 64 s (attempt 4)"),
    ("link.refused", {"reason": "key refused", "remedy": ""}, "refused: key refused"),
    ("link.refused", {}, "link.refused"),
    ("reconcile.finished", {"positions": 6}, "reconciled: 6 positions"),
    ("no.such_event", {"b": 1, "a": None, "c": "x"}, "no.such_event b=1 c=x"),
    (
        "fill.applied",
        {"symbol": "AAPL", "side": "buy", "qty": "10", "price": "187.41", "status": "filled"},
        "fill AAPL buy 10 @ 187.41 → filled",
    ),
    (
        "order.placed",
        PLACED | {"qty": "10", "notional": None},
        "placed AAPL buy 10 market → pending new (2.0 ms)",
    ),
    (
        "order.placed",
        PLACED | {"qty": None, "notional": "50"},
        "placed AAPL buy $50 market → pending new (2.0 ms)",
    ),
    ("trading.halted", {"reason": "", "principal": "local"}, "trading halted (local)"),
]


@pytest.mark.parametrize(("event", "facts", "expected"), SENTENCES)
def test_an_event_is_a_sentence(event: str, facts: dict[str, object], expected: str) -> None:
    assert format_sentence(event, None, facts) == expected
    assert format_sentence(event, "alpha", facts) == f"alpha {expected}"


@pytest.mark.parametrize("event", TEMPLATES)
def test_no_event_needs_its_facts(event: str) -> None:
    assert format_sentence(event, "alpha", {}).startswith("alpha ")


def test_foreign_text_cannot_steer_the_terminal() -> None:
    assert format_sentence("link.lost", None, {"reason": "\x1b[2J\r{code}"}) == "lost:  [2J {code}"
