"""How long to wait before the next attempt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.core.backoff import MAX_S, MIN_RATE_LIMITED_S, Backoff


def waits(rng: float, attempts: int) -> list[float]:
    backoff, told = Backoff(), []
    for _ in range(attempts):
        backoff, wait_s = backoff.failed(rate_limited=False, rng=lambda: rng)
        told.append(wait_s)
    return told


def test_the_ladder() -> None:
    """Doubles up to its end."""
    assert waits(0.5, 9) == pytest.approx([5, 10, 20, 40, 80, 160, 300, 300, 300])


@pytest.mark.parametrize(("rng", "factor"), [(0.0, 0.8), (0.999999, 1.2)])
def test_jitter(rng: float, factor: float) -> None:
    """Chance spreads every wait by a fifth both ways."""
    assert waits(rng, 3) == pytest.approx([5 * factor, 10 * factor, 20 * factor], rel=1e-4)


def test_too_many_requests_skip_two_steps() -> None:
    """The broker may still count an older socket: a minute at least."""
    backoff, wait_s = Backoff().failed(rate_limited=True, rng=lambda: 0.5)
    assert wait_s == MIN_RATE_LIMITED_S
    _, wait_s = backoff.failed(rate_limited=False, rng=lambda: 0.5)
    assert wait_s == pytest.approx(40)


@given(st.lists(st.booleans(), max_size=2000), st.floats(0, 1, exclude_max=True))
def test_every_wait_is_bounded(limited: list[bool], rng: float) -> None:
    """However often it failed."""
    backoff = Backoff()
    for rate_limited in limited:
        backoff, wait_s = backoff.failed(rate_limited=rate_limited, rng=lambda: rng)
        assert 4 <= wait_s <= MAX_S * 1.2
