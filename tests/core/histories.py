"""Any history of an account: hypothesis draws acts, the books carry them out."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Literal

from hypothesis import strategies as st

from realtime.core.apply import apply
from realtime.core.model import ExecutionId, OrderId, TradeUpdate
from realtime.core.outcomes import Anomaly, Applied, Snapshot
from realtime.core.state import AccountState
from realtime.core.timestamps import microseconds
from tests.core.books import ACCOUNT, Books, Lists
from tests.core.writing import PAUSES_NS, Style, quantities

NOW = 1_000_000.0
"""Our clock; far from the broker's on purpose."""

START = AccountState(account=ACCOUNT)

SYMBOLS = ("AAA", "BBB", "ETH/USD")

Act = tuple[str, int, int, int]

PLACING = ("buy", "sell", "notional", "bracket", "oco", "mleg")
WORKING = (
    "ack",
    "part",
    "twins",
    "fill",
    "fill",
    "cancel",
    "pending_cancel",
    "cancel_rejected",
    "expire",
    "rest",
    "replace",
    "replace_new_first",
    "unknown_event",
    "unknown_status",
    "reject",
)
REVERSALS = ("bust", "correct")


def styles() -> st.SearchStrategy[Style]:
    published = st.builds(Style, st.just(True), st.just(False), st.booleans())
    bare = st.builds(Style, st.just(False), st.booleans(), st.booleans())
    return published | bare


def histories(*, busts: bool = True, most: int = 16) -> st.SearchStrategy[Books]:
    """Books after some acts, with the frames they wrote."""
    kinds = PLACING + WORKING + (REVERSALS if busts else ())
    act = st.tuples(
        st.sampled_from(kinds),
        st.integers(0, 5),
        st.integers(0, 2),
        st.integers(0, len(PAUSES_NS) - 1),
    )
    return st.builds(happened, styles(), st.lists(act, min_size=1, max_size=most))


def happened(style: Style, acts: Iterable[Act]) -> Books:
    """The books after these acts; an act that cannot be done places an order instead."""
    books = Books(style)
    for kind, which, symbol, pause in acts:
        books.wait(PAUSES_NS[pause])
        if kind in PLACING:
            _place(books, kind, SYMBOLS[symbol])
        elif kind in REVERSALS and books.executed_ids():
            ids = books.executed_ids()
            books.undo(ids[which % len(ids)], Decimal(which) if kind == "correct" else None)
        elif kind in WORKING and books.open_ids():
            ids = books.open_ids()
            _work(books, kind, ids[which % len(ids)])
        else:
            _place(books, "buy", SYMBOLS[symbol])
    return books


def _place(books: Books, kind: str, symbol: str) -> None:
    match kind:
        case "bracket":
            books.place_bracket(symbol)
        case "oco":
            books.place_oco(symbol)
        case "mleg":
            books.place_mleg()
        case "notional":
            books.place(symbol, notional=True)
        case side:
            books.place(symbol, side)


def _work(books: Books, kind: str, order_id: OrderId) -> None:
    is_multileg = books.orders[order_id].order_class == "mleg"
    match kind:
        case "ack":
            if books.orders[order_id].status != "pending_new":
                _later(books)  # back to `new` within a microsecond is told by nothing
            books.tell("new", order_id, _working_status(books, order_id))
        case "part":
            books.fill(order_id, 3)
        case "twins":
            books.fill(order_id, 2)
            if order_id in books.open_ids():
                books.fill(order_id, 2)
        case "fill":
            books.fill(order_id)
        case "cancel":
            books.close("canceled", order_id)
        case "expire":
            books.close("expired", order_id)
        case "reject":
            books.close("rejected", order_id)
        case "pending_cancel":
            books.tell("pending_cancel", order_id, "pending_cancel")
        case "cancel_rejected":
            _later(books)
            books.tell("order_cancel_rejected", order_id, _working_status(books, order_id))
        case "rest":
            books.tell("done_for_day", order_id, "done_for_day")
            _later(books)
            books.tell("new", order_id, _working_status(books, order_id))
        case "replace" | "replace_new_first" if not is_multileg:
            books.replace(order_id, new_first=kind == "replace_new_first")
        case "unknown_event":
            books.tell("restated", order_id)
        case "unknown_status":
            _later(books)
            books.tell("pondered", order_id, "pondering")
            _later(books)
        case _:
            books.tell("calculated", order_id, "calculated")
            _later(books)


def _later(books: Books) -> None:
    books.wait(PAUSES_NS[3])


def _working_status(books: Books, order_id: OrderId) -> str:
    return "new" if Decimal(books.orders[order_id].filled_qty or 0) == 0 else "partially_filled"


# -- following -------------------------------------------------------------------------------------


def follow(
    frames: Iterable[TradeUpdate], state: AccountState = START, *, now: float = NOW
) -> AccountState:
    """The state after these frames."""
    for frame in frames:
        state = apply(state, frame, now).state
    return state


def follow_closely(
    frames: Iterable[TradeUpdate], state: AccountState = START
) -> tuple[AccountState, list[Applied]]:
    """The state after these frames, and what each of them did."""
    steps: list[Applied] = []
    for frame in frames:
        steps.append(apply(state, frame, NOW))
        state = steps[-1].state
    return state, steps


def anomalies_of(steps: Iterable[Applied]) -> list[Anomaly]:
    return [doubt for step in steps for doubt in step.anomalies]


def snapshot(
    lists: Lists, requested_at: float, *, is_full: bool = True, is_dated: bool = False
) -> Snapshot:
    """A reading of these lists. A dated one tells the broker's time: as long after the last thing
    in them as it is after `NOW`."""
    told = [microseconds(order.updated_at) for order in lists.orders]
    told += [microseconds(fill.transaction_time) for fill in lists.fills]
    return Snapshot(
        requested_at=requested_at,
        broker_time=max(told) + round((requested_at - NOW) * 1_000_000)
        if is_dated and told
        else None,
        account=ACCOUNT,
        positions=lists.positions,
        orders=lists.orders,
        fills=lists.fills,
        is_full=is_full,
        covers_anomalies=is_full,
    )


# -- comparing -------------------------------------------------------------------------------------

Part = Literal["orders", "executions", "positions"]


def essence(state: AccountState) -> dict[Part, object]:
    """What must converge. Average prices, gains and what is available of a position are provisional
    until REST has spoken, and so are no part of it; nor are marks and the provisional flags."""
    return {
        "orders": dict(state.orders),
        "executions": _nonempty(
            {
                o: {e: Decimal(x.qty) for e, x in book.items()}
                for o, book in state.executions.items()
            }
        ),
        "positions": {s: Decimal(p.qty) for s, p in state.positions.items()},
    }


def truth(books: Books) -> dict[Part, object]:
    """The same of the books."""
    return {
        "orders": books.orders,
        "executions": _nonempty(books.executions),
        "positions": quantities(books.held),
    }


def _nonempty(
    executions: Mapping[OrderId, Mapping[ExecutionId, Decimal]],
) -> dict[OrderId, dict[ExecutionId, Decimal]]:
    return {order: dict(book) for order, book in executions.items() if book}
