"""At every moment: what is not marked provisional is true, however the broker's REST lags.

Nothing is lost here and nothing out of order; but positions and account are read as they were up to
ten seconds before, and a reading lands when more has been heard since it began.
"""

from decimal import Decimal
from itertools import cycle

from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct, structs

from realtime.core.apply import apply
from realtime.core.model import Account
from realtime.core.outcomes import Snapshot
from realtime.core.reconcile import reconcile
from realtime.core.state import LAG_S, AccountState
from tests.core.books import ACCOUNT, Books
from tests.core.histories import NOW, essence, histories, snapshot


class Step(Struct, frozen=True):
    """Between two frames."""

    pause_s: float
    lag_s: float
    flight: int
    """Frames heard between the beginning of a reading and its end; negative for no reading."""


steps = st.builds(
    Step,
    st.sampled_from([0.0, 0.5, 3.0, 11.0]),
    st.sampled_from([0.0, 1.0, LAG_S - 0.01]),
    st.integers(-2, 2),
)


def account_after(books: Books, frames: int) -> Account:
    """Money moves with every execution."""
    moved = sum(1 for f in books.frames[:frames] if f.qty is not None)
    return structs.replace(ACCOUNT, cash=str(moved))


def reading(books: Books, received_at: list[float], now: float, lag_s: float) -> Snapshot:
    """Orders as they are, positions and account as they were."""
    then = sum(1 for at in received_at if at <= now - lag_s)
    lists = structs.replace(
        books.history[len(received_at)], positions=books.history[then].positions, fills=()
    )
    read = snapshot(lists, now, is_full=False)
    return structs.replace(read, account=account_after(books, then))


@given(histories(most=12), st.lists(steps, min_size=1, max_size=8))
def test_what_is_not_marked_is_true(books: Books, between: list[Step]) -> None:
    """Quantities always; money unless it is marked, and it is marked from the fill on."""
    state, now = AccountState(account=account_after(books, 0)), NOW
    received_at: list[float] = []
    landing: dict[int, list[Snapshot]] = {}
    for frame, step in zip(books.frames, cycle(between), strict=False):
        now += step.pause_s
        state = apply(state, frame, now).state
        received_at.append(now)
        _check(state, books, len(received_at))
        if step.flight >= 0:
            now += step.pause_s
            read = reading(books, received_at, now, step.lag_s)
            landing.setdefault(len(received_at) + step.flight, []).append(read)
        for read in landing.pop(len(received_at), []):
            state = reconcile(state, read).state
            _check(state, books, len(received_at))


def _check(state: AccountState, books: Books, frames: int) -> None:
    held = {p.symbol: Decimal(p.qty) for p in books.history[frames].positions}
    assert essence(state)["positions"] == held
    if "account" not in state.provisional:
        assert state.account == account_after(books, frames)
