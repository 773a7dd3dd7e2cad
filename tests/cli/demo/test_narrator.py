"""The demo prints few lines, each of them true."""

from collections.abc import Callable, Iterator

import pytest
import structlog

from realtime.cli.demo.narrator import MAX_LINES_PER_EVENT, Narrator
from realtime.telemetry.log import get_logger

FILL = {"symbol": "AAPL", "side": "buy", "qty": "1", "price": "10", "status": "filled"}


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def narrator(lines: list[str]) -> Iterator[Narrator]:
    made = Narrator(lines.append)
    made.receive_log()
    yield made
    structlog.reset_defaults()


def repeat(count: int, action: Callable[[int], object]) -> None:
    for number in range(count):
        action(number)


def test_all_fills_are_measured_and_few_are_printed(narrator: Narrator, lines: list[str]) -> None:
    log = get_logger()
    log.info("fill.applied", account="alpha", lag_ms=900.0, **FILL)
    narrator.start()
    repeat(50, lambda n: log.info("fill.applied", account="alpha", lag_ms=float(n), **FILL))
    assert len(narrator.lags) == 50  # what came before `start` does not count
    assert lines == ["   0 s  alpha fill AAPL buy 1 @ 10 → filled (0.0 ms)"]


def test_the_end_of_an_outage_reports_missed_fills(narrator: Narrator, lines: list[str]) -> None:
    narrator.start()
    log = get_logger()
    for account, recovered in (("alpha", 3), ("bravo", 1), ("charlie", 0)):
        log.info("snapshot.applied", account=account, recovered=recovered)
        log.info("link.recovered", account=account, took_s=5.0)
    assert [line.removeprefix("   0 s  ") for line in lines] == [
        "alpha back, 3 missed fills recovered by a read",
        "bravo back, 1 missed fill recovered by a read",
        "charlie back, no fill missed",
    ]


def test_many_equal_events_are_few_lines(narrator: Narrator, lines: list[str]) -> None:
    narrator.start()
    log = get_logger()
    repeat(1000, lambda n: log.warning("link.lost", account=f"account_{n}", reason="gone"))
    log.warning("link.refused", account="alpha", reason="no")
    assert MAX_LINES_PER_EVENT < len(lines) < 20  # a second may end meanwhile
    assert lines[MAX_LINES_PER_EVENT].endswith("… link.lost of more accounts")
    assert lines[-1].endswith("alpha refused: no")


def test_an_internal_error_is_printed_with_its_traceback(
    narrator: Narrator, lines: list[str]
) -> None:
    narrator.start()
    try:
        raise ZeroDivisionError
    except ZeroDivisionError:
        get_logger().exception("account.failed", account="alpha")
    assert lines[0] == "   0 s  alpha internal error; reconnecting"
    assert "ZeroDivisionError" in lines[1]
