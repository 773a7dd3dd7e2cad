"""How long to wait before the next attempt."""

import random
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.core.backoff import JITTER, MAX_S, MIN_RATE_LIMITED_S, Backoff

RANDOM = st.floats(0, 1, exclude_max=True)


def waits(rng: float, attempts: int) -> list[float]:
    backoff, result = Backoff(), []
    for _ in range(attempts):
        backoff, wait_s = backoff.after_failure(lambda: rng)
        result.append(wait_s)
    return result


def test_waits_double_up_to_their_maximum() -> None:
    assert waits(0.5, 9) == pytest.approx([5, 10, 20, 40, 80, 160, 300, 300, 300])


@pytest.mark.parametrize(("rng", "factor"), [(0.0, 0.8), (0.999999, 1.2)])
def test_jitter_spreads_every_wait_by_a_fifth(rng: float, factor: float) -> None:
    assert waits(rng, 3) == pytest.approx([5 * factor, 10 * factor, 20 * factor], rel=1e-4)


@given(st.integers(), st.integers(0, 20))
def test_own_slot_is_retried_every_45_to_75_s_however_often_it_failed(seed: int, step: int) -> None:
    rng = random.Random(seed)
    for _ in range(5):
        _, wait_s = Backoff(step).after_rate_limit(rng.random, is_own_slot=True, retry_after_s=None)
        assert 45 <= wait_s <= 75
        assert wait_s != 60.0


@given(st.integers())
def test_third_attempt_after_a_disconnect_is_between_90_and_120_s(seed: int) -> None:
    """The broker drops the old connection after about 90 s."""
    rng = random.Random(seed)
    backoff, first_s = Backoff().after_failure(rng.random)
    gaps = [first_s]
    for _ in range(2):
        backoff, wait_s = backoff.after_rate_limit(rng.random, is_own_slot=True, retry_after_s=None)
        gaps.append(wait_s)
    assert 90 < list(accumulate(gaps))[-1] <= 120


@given(RANDOM)
def test_slot_of_another_program_follows_the_ladder_with_a_minimum(rng: float) -> None:
    backoff, result = Backoff(), []
    for _ in range(8):
        backoff, wait_s = backoff.after_rate_limit(
            lambda: rng, is_own_slot=False, retry_after_s=None
        )
        result.append(wait_s)
    spread = 1 - JITTER + 2 * JITTER * rng
    ladder = [MIN_RATE_LIMITED_S] * 4 + [80, 160, 300, 300]
    assert result == pytest.approx([wait_s * spread for wait_s in ladder])


@pytest.mark.parametrize("is_own_slot", [True, False])
@given(retry_after_s=st.floats(-1e9, 1e9), rng=RANDOM)
def test_retry_after_is_a_minimum_within_the_maximum(
    is_own_slot: bool, retry_after_s: float, rng: float
) -> None:
    _, wait_s = Backoff().after_rate_limit(
        lambda: rng, is_own_slot=is_own_slot, retry_after_s=retry_after_s
    )
    assert wait_s >= min(retry_after_s, MAX_S)
    assert 45 <= wait_s <= MAX_S * (1 + JITTER / 2)


@given(st.lists(st.sampled_from(["failure", "own", "other"]), max_size=2000), RANDOM)
def test_every_wait_is_bounded(failures: list[str], rng: float) -> None:
    backoff = Backoff()
    for failure in failures:
        if failure == "failure":
            backoff, wait_s = backoff.after_failure(lambda: rng)
        else:
            backoff, wait_s = backoff.after_rate_limit(
                lambda: rng, is_own_slot=failure == "own", retry_after_s=None
            )
        assert 4 <= wait_s <= MAX_S * 1.2
