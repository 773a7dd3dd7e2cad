"""The budget of requests."""

from realtime.simulator.rest.rate_limiter import WINDOW_S, RateLimiter


def test_window_opens_with_the_first_request_and_lasts_a_minute() -> None:
    now = 1000.0
    limit = RateLimiter(2, lambda: now)
    first, second, third = (limit.acquire("alpha") for _ in range(3))
    assert [each.allowed for each in (first, second, third)] == [True, True, False]
    assert [each.remaining for each in (first, second, third)] == [1, 0, 0]
    assert first.reset_in_s == WINDOW_S
    now += 59.9
    assert not limit.acquire("alpha").allowed
    now += 0.2
    assert limit.acquire("alpha").remaining == 1


def test_each_account_has_its_own_budget() -> None:
    limit = RateLimiter(1, lambda: 0.0)
    assert limit.acquire("alpha").allowed
    assert limit.acquire("bravo").allowed
    assert not limit.acquire("alpha").allowed
