"""Which message is sent next, without any receiver: lanes, waits, parking."""

from realtime.notify.delivery_queue import MAX_RETRY_S, DeliveryQueue, Failure
from realtime.notify.outbox import StoredMessage

DOWN = Failure("unreachable", "no connection")
NO = Failure("rejected", "status 400")


def make_queue(max_attempts: int, *accounts: str) -> DeliveryQueue:
    queue = DeliveryQueue(max_attempts, lambda: 1.0)
    for n, account in enumerate(accounts, 1):
        queue.add(StoredMessage(n, "desk", account, "order", 10))
    return queue


def take(queue: DeliveryQueue, now: float, room: int = 8) -> list[int]:
    return [message.n for message in taken(queue, now, room)]


def taken(queue: DeliveryQueue, now: float, room: int = 8) -> list[StoredMessage]:
    return queue.take(now, room)


def test_one_message_of_an_account_at_a_time() -> None:
    queue = make_queue(5, "a", "a", "b", "a")
    first, other = taken(queue, 0)
    assert (first.n, other.n) == (1, 3)
    assert take(queue, 0) == []
    queue.succeed(first)
    assert take(queue, 0) == [2]
    assert queue.waiting == 3


def test_room_is_kept() -> None:
    queue = make_queue(5, *"abcdefgh")
    assert take(queue, 0, 3) == [1, 2, 3]


def test_attempts_that_fail_together_are_one_failure() -> None:
    queue = make_queue(3, *"abcdefgh")
    for message in taken(queue, 0):
        queue.fail(message, DOWN, 0.0)
    assert (queue.failures, queue.parked_reason) == (1, None)


def test_one_message_tries_for_all_while_nothing_is_reached() -> None:
    queue = make_queue(20, *"abcd")
    for message in taken(queue, 0):
        queue.fail(message, DOWN, 0.0)
    assert take(queue, 0.9) == []
    assert queue.next_time() == 1.0
    (probe,) = taken(queue, 1.0)
    assert take(queue, 1.0) == []
    queue.fail(probe, DOWN, 1.0)
    assert take(queue, 2.9) == []
    (probe,) = taken(queue, 3.0)
    assert probe.n != 1, "another account has its turn: one message must not block all"
    queue.succeed(probe)
    assert len(take(queue, 10.0)) == 3


def test_waits_are_bounded_and_the_webhook_is_parked_in_the_end() -> None:
    queue, now, waits = make_queue(20, "a"), 0.0, []
    while queue.parked_reason is None:
        (message,) = taken(queue, now)
        queue.fail(message, DOWN, now)
        following = queue.next_time()
        if following is not None:
            waits.append(following - now)
            now = following
    assert waits[:4] == [1.0, 2.0, 4.0, 8.0]
    assert max(waits) == MAX_RETRY_S
    assert queue.failures == 20
    assert take(queue, now + 1e9) == []
    assert queue.unpark() == 1
    assert take(queue, now) == [1]


def test_a_rejected_message_is_parked_and_returns_before_later_ones() -> None:
    queue = make_queue(2, "a", "a", "a")
    for now in (0.0, 10.0):
        (message,) = taken(queue, now)
        is_parked = queue.fail(message, NO, now)
    assert is_parked
    assert (queue.parked, queue.waiting, queue.total) == (1, 2, 3)
    (second,) = taken(queue, 10.0)
    assert second.n == 2
    assert queue.unpark() == 1
    queue.succeed(second)
    assert take(queue, 10.0) == [1]


def test_a_state_under_way_is_not_replaced() -> None:
    queue = DeliveryQueue(5, lambda: 1.0)
    message = StoredMessage(1, "desk", "a", "account", 10)
    queue.add(message, is_state=True)
    assert queue.find_state("a", "account") is message
    queue.resize(message, 25)
    assert queue.bytes == 25
    taken(queue, 0)
    assert queue.find_state("a", "account") is None
