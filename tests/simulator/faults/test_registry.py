"""The switchboard by itself, with a clock of its own."""

import pytest

from realtime.simulator.faults.base import Kind
from realtime.simulator.faults.catalogue import KINDS, BadFault, describe, read_fault
from realtime.simulator.faults.frames import Drop
from realtime.simulator.faults.registry import Fault, Switchboard
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
def board(clock: Clock) -> Switchboard:
    return Switchboard(clock)


def test_fault_without_limits_stays_until_removed(board: Switchboard, clock: Clock) -> None:
    fault = board.add(Drop())
    clock.now += 86_400
    assert board.strike(Drop, "alpha") is fault.what
    assert board.remove(fault.id)
    assert board.strike(Drop, "alpha") is None
    assert not board.has(Drop)


def test_fault_ends_with_its_count(board: Switchboard) -> None:
    board.add(Drop(count=2))
    assert [board.strike(Drop, "alpha") is not None for _ in range(3)] == [True, True, False]
    assert board.listing() == []


def test_fault_ends_with_its_time(board: Switchboard, clock: Clock) -> None:
    board.add(Drop(for_s=5))
    clock.now += 4.9
    assert board.active(Drop, "alpha")
    clock.now += 0.2
    assert board.active(Drop, "alpha") is None
    assert board.listing() == []


def test_fault_of_one_account_spares_the_others(board: Switchboard) -> None:
    board.add(Drop(account="alpha"))
    assert board.active(Drop, "bravo") is None
    assert board.active(Drop, None) is None
    assert board.active(Drop, "alpha")


def test_oldest_fault_strikes_first(board: Switchboard) -> None:
    board.add(Latency(seconds=1, count=1))
    board.add(Latency(seconds=2))
    seconds = [board.strike_request(Latency, "alpha", "GET", "/v2/account") for _ in range(3)]
    assert [each.seconds for each in seconds if each] == [1, 2, 2]


def test_newest_state_holds_until_it_ends(board: Switchboard, clock: Clock) -> None:
    board.add(SecondConnection(mode="both"))
    board.add(SecondConnection(mode="evict-oldest", for_s=5))
    board.add(SecondConnection(mode="refuse-429", account="bravo"))

    def mode(label: str) -> str:
        fault = board.active(SecondConnection, label)
        assert fault is not None
        return fault.what.mode

    assert (mode("alpha"), mode("bravo")) == ("evict-oldest", "refuse-429")
    clock.now += 6
    assert (mode("alpha"), mode("bravo")) == ("both", "refuse-429")


def test_request_fault_passes_over_requests_it_is_not_about(board: Switchboard) -> None:
    board.add(RateLimited(method="post", path="/v2/orders", count=1))
    assert board.strike_request(RateLimited, "alpha", "GET", "/v2/orders") is None
    assert board.strike_request(RateLimited, "alpha", "POST", "/v2/positions") is None
    assert board.strike_request(RateLimited, "alpha", "POST", "/v2/orders")


def test_act_without_limits_is_over_at_once(board: Switchboard) -> None:
    told: list[Fault[Kind]] = []
    board.on_switch.append(told.append)
    fault = board.add(Cut())
    assert told == [fault]
    assert fault.is_over
    assert board.listing() == []


def test_used_up_deafness_holds_its_sockets_until_removed(board: Switchboard) -> None:
    fault = board.add(Deaf(count=1))
    board.spend(fault)
    assert board.active(Deaf, "alpha") is None
    assert not fault.is_over
    assert board.clear() == 1
    assert fault.is_over


@pytest.mark.parametrize("word", sorted(KINDS))
def test_every_kind_can_be_switched_on_with_its_defaults(board: Switchboard, word: str) -> None:
    fault = board.add(read_fault({"kind": word, "for_s": 1}))
    assert describe()[word]
    assert fault.what.for_s == 1
    assert board.has(type(fault.what))


def test_state_has_no_count() -> None:
    with pytest.raises(BadFault, match="give `for_s`"):
        read_fault({"kind": "maintenance", "count": 1})


def test_catalogue_refuses_what_it_does_not_know() -> None:
    with pytest.raises(BadFault, match="one of cut, error_frame"):
        read_fault({"kind": "zzz"})
