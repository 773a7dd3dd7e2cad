"""The switchboard by itself, with a clock of its own."""

import pytest

from realtime.simulator.faults.base import FaultSpec
from realtime.simulator.faults.catalogue import FAULT_TYPES, InvalidFault, describe, parse_fault
from realtime.simulator.faults.frames import Drop
from realtime.simulator.faults.registry import Fault, FaultRegistry
from realtime.simulator.faults.requests import Latency, RateLimited
from realtime.simulator.faults.sockets import Cut, Deaf, SecondConnection


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def faults(clock: Clock) -> FaultRegistry:
    return FaultRegistry(clock)


def test_fault_without_limits_stays_until_removed(faults: FaultRegistry, clock: Clock) -> None:
    fault = faults.add(Drop())
    clock.now += 86_400
    assert faults.trigger(Drop, "alpha") is fault.spec
    assert faults.remove(fault.id)
    assert faults.trigger(Drop, "alpha") is None
    assert not faults.is_active_for_any(Drop)


def test_fault_ends_with_its_count(faults: FaultRegistry) -> None:
    faults.add(Drop(count=2))
    assert [faults.trigger(Drop, "alpha") is not None for _ in range(3)] == [True, True, False]
    assert faults.list_active() == []


def test_fault_ends_with_its_time(faults: FaultRegistry, clock: Clock) -> None:
    faults.add(Drop(for_s=5))
    clock.now += 4.9
    assert faults.active(Drop, "alpha")
    clock.now += 0.2
    assert faults.active(Drop, "alpha") is None
    assert faults.list_active() == []


def test_fault_of_one_account_does_not_affect_others(faults: FaultRegistry) -> None:
    faults.add(Drop(account="alpha"))
    assert faults.active(Drop, "bravo") is None
    assert faults.active(Drop, None) is None
    assert faults.active(Drop, "alpha")


def test_oldest_fault_applies_first(faults: FaultRegistry) -> None:
    faults.add(Latency(seconds=1, count=1))
    faults.add(Latency(seconds=2))
    seconds = [faults.trigger_request(Latency, "alpha", "GET", "/v2/account") for _ in range(3)]
    assert [each.seconds for each in seconds if each] == [1, 2, 2]


def test_newest_state_holds_until_it_ends(faults: FaultRegistry, clock: Clock) -> None:
    faults.add(SecondConnection(mode="both"))
    faults.add(SecondConnection(mode="evict-oldest", for_s=5))
    faults.add(SecondConnection(mode="refuse-429", account="bravo"))

    def mode(label: str) -> str:
        fault = faults.active(SecondConnection, label)
        assert fault is not None
        return fault.spec.mode

    assert (mode("alpha"), mode("bravo")) == ("evict-oldest", "refuse-429")
    clock.now += 6
    assert (mode("alpha"), mode("bravo")) == ("both", "refuse-429")


def test_request_fault_ignores_other_requests(faults: FaultRegistry) -> None:
    faults.add(RateLimited(method="post", path="/v2/orders", count=1))
    assert faults.trigger_request(RateLimited, "alpha", "GET", "/v2/orders") is None
    assert faults.trigger_request(RateLimited, "alpha", "POST", "/v2/positions") is None
    assert faults.trigger_request(RateLimited, "alpha", "POST", "/v2/orders")


def test_one_shot_fault_ends_immediately(faults: FaultRegistry) -> None:
    added: list[Fault[FaultSpec]] = []
    faults.listeners.append(added.append)
    fault = faults.add(Cut())
    assert added == [fault]
    assert fault.is_over
    assert faults.list_active() == []


def test_used_up_deafness_holds_its_sockets_until_removed(faults: FaultRegistry) -> None:
    fault = faults.add(Deaf(count=1))
    faults.count_use(fault)
    assert faults.active(Deaf, "alpha") is None
    assert not fault.is_over
    assert faults.clear() == 1
    assert fault.is_over


@pytest.mark.parametrize("word", sorted(FAULT_TYPES))
def test_every_kind_can_be_switched_on_with_its_defaults(faults: FaultRegistry, word: str) -> None:
    fault = faults.add(parse_fault({"kind": word, "for_s": 1}))
    assert describe()[word]
    assert fault.spec.for_s == 1
    assert faults.is_active_for_any(type(fault.spec))


def test_state_has_no_count() -> None:
    with pytest.raises(InvalidFault, match="give `for_s`"):
        parse_fault({"kind": "maintenance", "count": 1})


def test_catalogue_refuses_what_it_does_not_know() -> None:
    with pytest.raises(InvalidFault, match="one of cut, error_frame"):
        parse_fault({"kind": "zzz"})
