"""What is sent to the broker: chunks, one at a time, acks compared, errors of one request."""

from realtime.market.stream.channels import Pairs
from realtime.market.stream.subscription_plan import (
    MAX_ATTEMPTS,
    MAX_NAMES,
    RETRY_S,
    Change,
    SubscriptionPlan,
)

CHANNELS = ("trades", "quotes")


def pairs(*names: str) -> Pairs:
    return frozenset(("trades", name) for name in names)


def names_of(plan: SubscriptionPlan) -> dict[str, list[str]]:
    return {channel: sorted(n for c, n in plan.acked if c == channel) for channel in CHANNELS}


def settle(plan: SubscriptionPlan, wanted: Pairs, now: float = 0.0) -> list[Change]:
    """A broker that accepts everything."""
    sent = []
    while (change := plan.next_change(wanted, now)) is not None:
        sent.append(change)
        held = set(plan.acked)
        held = held | change.pairs if change.action == "subscribe" else held - change.pairs
        ack = {c: [n for channel, n in held if channel == c] for c in CHANNELS}
        plan.handle_ack(ack, CHANNELS, now)
    return sent


def test_many_names_are_sent_in_chunks_after_each_others_acks() -> None:
    plan, wanted = SubscriptionPlan(), pairs(*(f"S{n}" for n in range(250)))
    first = plan.next_change(wanted, 0.0)
    assert plan.next_change(wanted, 0.0) is first, "one is in flight"
    sent = settle(plan, wanted)
    assert [len(change.pairs) for change in sent] == [MAX_NAMES, MAX_NAMES, 50]
    assert plan.acked == wanted


def test_what_is_not_wanted_any_more_is_removed_first() -> None:
    plan = SubscriptionPlan()
    settle(plan, pairs("A", "B"))
    request = plan.request(pairs("C"))
    sent = settle(plan, pairs("A", "C"))
    assert [(change.action, change.pairs) for change in sent] == [
        ("unsubscribe", pairs("B")),
        ("subscribe", pairs("C")),
    ]
    assert request is not None
    assert request.is_done
    assert request.code is None


def test_an_error_concerns_the_request_that_caused_it() -> None:
    plan = SubscriptionPlan()
    settle(plan, pairs("A"))
    first, second = plan.request(pairs("B")), plan.request(pairs("C"))
    plan.next_change(pairs("A", "B", "C"), 0.0)
    assert plan.handle_error(405, 0.0) is first
    assert first is not None
    assert first.code == 405
    settle(plan, pairs("A", "C"))
    assert second is not None
    assert second.is_done
    assert second.code is None
    assert plan.acked == pairs("A", "C")


def test_a_request_is_sent_again_if_lingering_names_made_room() -> None:
    plan = SubscriptionPlan()
    settle(plan, pairs("A"))
    request = plan.request(pairs("B"))
    plan.next_change(pairs("A", "B"), 0.0)
    assert plan.handle_error(405, 0.0, has_room=True) is None
    sent = settle(plan, pairs("B"))
    assert [change.action for change in sent] == ["unsubscribe", "subscribe"]
    assert request is not None
    assert request.code is None


def test_a_name_that_no_ack_confirms_is_repaired_then_reported() -> None:
    plan, wanted = SubscriptionPlan(), pairs("A", "LOST")
    for _ in range(MAX_ATTEMPTS):
        assert plan.next_change(wanted, 0.0) is not None
        result = plan.handle_ack({"trades": ["A"], "quotes": []}, CHANNELS, 0.0)
        assert result.differences == 1
    assert plan.unacked == pairs("LOST")
    assert plan.next_change(wanted, RETRY_S - 1) is None
    assert plan.next_change(wanted, RETRY_S) == Change("subscribe", pairs("LOST"))


def test_a_name_that_the_broker_has_without_need_is_removed() -> None:
    plan = SubscriptionPlan()
    plan.handle_ack({"trades": ["OTHER"], "quotes": []}, CHANNELS, 0.0)
    assert plan.next_change(frozenset(), 0.0) == Change("unsubscribe", pairs("OTHER"))


def test_a_channel_that_an_ack_does_not_list_is_as_expected() -> None:
    """The test feed's ack lists three channels (MARKET 3.1)."""
    plan = SubscriptionPlan()
    plan.next_change(pairs("A"), 0.0)
    assert plan.handle_ack({}, CHANNELS, 0.0).differences == 0
    assert plan.acked == pairs("A")


def test_refused_names_of_a_repair_are_found_by_halving() -> None:
    """After a reconnect the plan may allow less: the others must still be subscribed."""
    plan, wanted = SubscriptionPlan(), pairs(*(f"S{n}" for n in range(40)))
    limit, now = 30, 0.0
    for _ in range(200):
        change = plan.next_change(wanted, now)
        if change is None:
            break
        held = plan.acked | change.pairs
        if len(held) > limit:
            plan.handle_error(405, now)
        else:
            plan.handle_ack({"trades": [n for _, n in held], "quotes": []}, CHANNELS, now)
    assert len(plan.acked) == limit
    assert len(plan.refused) == 10
    assert set(plan.refused.values()) == {405}
    assert plan.next_retry() == RETRY_S


def test_a_refresh_unsubscribes_and_subscribes_again() -> None:
    plan = SubscriptionPlan()
    settle(plan, pairs("A", "B"))
    plan.refresh(pairs("A"))
    sent = settle(plan, pairs("A", "B"))
    assert [(change.action, change.pairs) for change in sent] == [
        ("unsubscribe", pairs("A")),
        ("subscribe", pairs("A")),
    ]


def test_a_lost_connection_forgets_the_brokers_set_and_accepts_requests() -> None:
    plan = SubscriptionPlan()
    settle(plan, pairs("A"))
    request = plan.request(pairs("B"))
    plan.next_change(pairs("A", "B"), 0.0)
    assert plan.disconnect() == [request]
    assert (plan.acked, plan.in_flight) == (set(), None)
    assert plan.next_change(pairs("A", "B"), 0.0) == Change("subscribe", pairs("A", "B"))


def test_what_the_broker_has_already_needs_no_request() -> None:
    plan = SubscriptionPlan()
    settle(plan, pairs("A"))
    assert plan.request(pairs("A")) is None
