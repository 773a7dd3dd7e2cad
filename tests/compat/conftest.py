"""One simulator for the whole suite; every test trades on a new account."""

from collections.abc import Iterator
from contextlib import suppress
from itertools import count

import pytest

from realtime.simulator.account_presets import preset_label
from tests.compat.broker import Broker, tuesday
from tests.compat.localhost import Localhost

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


@pytest.fixture(scope="module")  # its thread must not run beside the tests of other files
def localhost(broker: Broker) -> Iterator[Localhost]:
    """Alpaca's API at a daemon in front of the simulator."""
    with Localhost(broker) as serving:
        yield serving


@pytest.fixture
def target(request: pytest.FixtureRequest, broker: Broker) -> "Broker | Localhost":
    """Where the SDK is pointed: at the simulator, unless a file asks for both (`EITHER`)."""
    name = getattr(request, "param", "broker")
    return broker if name == "broker" else request.getfixturevalue("localhost")


@pytest.fixture
def trader(target: "Broker | Localhost", unused: Iterator[int]) -> Iterator["Trader"]:
    """A rich account with margin."""
    yield from _trade(target, preset_label(next(unused)))


@pytest.fixture
def saver(target: "Broker | Localhost", unused: Iterator[int]) -> Iterator["Trader"]:
    """An account without margin: 50 000, no short sales."""
    yield from _trade(target, preset_label(next(unused) + 3))


def _trade(target: "Broker | Localhost", label: str) -> Iterator["Trader"]:
    if isinstance(target, Localhost):
        target.follow(label)
    it = Trader(target, label)
    yield it
    it.close()
