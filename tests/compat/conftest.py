"""One simulator for the whole suite; every test trades on a new account."""

from collections.abc import Iterator
from contextlib import suppress
from itertools import count

import pytest

from realtime.simulator.account_presets import preset_label
from tests.compat.broker import Broker, tuesday

# Without alpaca-py the files of this folder are skipped unread, and this is not needed.
with suppress(ModuleNotFoundError):
    from tests.compat.trader import Trader

ACCOUNTS = 1000


@pytest.fixture(scope="session")
def broker() -> Iterator[Broker]:
    with Broker(
        accounts=ACCOUNTS,
        seed=7,
        market="open",
        clock=tuesday(),
        step_s=None,
        requests_per_minute=10_000,
    ) as serving:
        yield serving


@pytest.fixture(scope="session")
def unused(broker: Broker) -> Iterator[int]:
    """Numbers of unused accounts; every fourth is a premium one (1 000 000, margin)."""
    return count(0, 4)


@pytest.fixture
def trader(broker: Broker, unused: Iterator[int]) -> Iterator["Trader"]:
    """A rich account with margin."""
    it = Trader(broker, preset_label(next(unused)))
    yield it
    it.close()


@pytest.fixture
def saver(broker: Broker, unused: Iterator[int]) -> Iterator["Trader"]:
    """An account without margin: 50 000, no short sales."""
    it = Trader(broker, preset_label(next(unused) + 3))
    yield it
    it.close()
