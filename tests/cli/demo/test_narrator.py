"""The demo's voice: few sentences, each of them true."""

from collections.abc import Callable, Iterator

import pytest
import structlog

from realtime.cli.demo.narrator import ALIKE_A_SECOND, Narrator
from realtime.telemetry.log import get_logger

FILL = {"symbol": "AAPL", "side": "buy", "qty": "1", "price": "10", "status": "filled"}


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def narrator(told: list[str]) -> Iterator[Narrator]:
    made = Narrator(told.append)
    made.listen()
    yield made
    structlog.reset_defaults()


def times(count: int, act: Callable[[int], object]) -> None:
    for number in range(count):
        act(number)


def test_fills_are_measured_all_and_told_now_and_then(narrator: Narrator, told: list[str]) -> None:
    log = get_logger()
    log.info("fill.applied", account="alpha", lag_ms=900.0, **FILL)
    narrator.begin()
    times(50, lambda n: log.info("fill.applied", account="alpha", lag_ms=float(n), **FILL))
    assert len(narrator.lags) == 50  # what came before the beginning is not of the show
    assert told == ["   0 s  alpha fill AAPL buy 1 @ 10 → filled (0.0 ms)"]


def test_the_end_of_an_outage_says_what_was_missed(narrator: Narrator, told: list[str]) -> None:
    narrator.begin()
    log = get_logger()
    for account, recovered in (("alpha", 3), ("bravo", 1), ("charlie", 0)):
        log.info("snapshot.applied", account=account, recovered=recovered)
        log.info("link.recovered", account=account, took_s=5.0)
    assert [line.removeprefix("   0 s  ") for line in told] == [
        "alpha back, 3 missed fills recovered by reconcile",
        "bravo back, 1 missed fill recovered by reconcile",
        "charlie back, no fill missed",
    ]


def test_a_storm_is_not_a_thousand_lines(narrator: Narrator, told: list[str]) -> None:
    narrator.begin()
    log = get_logger()
    times(1000, lambda n: log.warning("link.lost", account=f"account_{n}", reason="gone"))
    log.warning("link.refused", account="alpha", reason="no")
    assert ALIKE_A_SECOND < len(told) < 20  # a second may end meanwhile
    assert told[ALIKE_A_SECOND].endswith("… link.lost of more accounts")
    assert told[-1].endswith("alpha refused: no")


def test_a_mistake_of_ours_is_told_with_its_trace(narrator: Narrator, told: list[str]) -> None:
    narrator.begin()
    try:
        raise ZeroDivisionError
    except ZeroDivisionError:
        get_logger().exception("account.failed", account="alpha")
    assert told[0] == "   0 s  alpha failed inside"
    assert "ZeroDivisionError" in told[1]
