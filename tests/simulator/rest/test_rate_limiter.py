"""The budget of requests."""

from realtime.simulator.rest.rate_limiter import WINDOW_S, RateLimit


def test_window_opens_with_the_first_request_and_lasts_a_minute() -> None:
    now = 1000.0
    limit = RateLimit(2, lambda: now)
    first, second, third = (limit.take("alpha") for _ in range(3))
    assert [each.allowed for each in (first, second, third)] == [True, True, False]
    assert [each.remaining for each in (first, second, third)] == [1, 0, 0]
    assert first.reset_in_s == WINDOW_S
    now += 59.9
    assert not limit.take("alpha").allowed
    now += 0.2
    assert limit.take("alpha").remaining == 1


def test_accounts_have_budgets_of_their_own() -> None:
    limit = RateLimit(1, lambda: 0.0)
    assert limit.take("alpha").allowed
    assert limit.take("bravo").allowed
    assert not limit.take("alpha").allowed
