"""Records, and changes of them as a store announces them, for tests of frames."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from hypothesis import strategies as st
from msgspec import Raw, structs

from realtime.core.extended import extended_instance
from realtime.core.model import (
    Account,
    AccountLabel,
    ExecutionId,
    Order,
    OrderId,
    TradeUpdate,
)
from realtime.core.persistent_map import put
from realtime.core.state import AccountState, Execution
from realtime.store.records import Record
from tests.api.documents.made import ACCOUNT, LIVE, LOST, order, position, record

T = TypeVar("T")

ALPHA = AccountLabel("alpha")
STATUSES = ["new", "filled", "canceled"]
SYMBOLS = ["AAPL", "TSLA", "NVDA"]


def add_field(value: T, name: str = "brand_new", raw: bytes = b'{"a": [1.50, null]}') -> T:
    """The same object of the broker with a field that our structs lack."""
    fields = structs.asdict(value)  # type: ignore[arg-type]  # a struct
    extended: T = extended_instance(type(value), fields, {name: Raw(raw)})
    return extended


def execution(number: int, order_id: OrderId) -> Execution:
    return Execution(
        execution_id=ExecutionId(f"e{number}"),
        order_id=order_id,
        symbol="AAPL",
        side="buy",
        qty="1",
        price="10.50",
        at=f"2026-10-06T14:00:{number % 60:02}Z",
    )


def update(number: int, **fields: object) -> TradeUpdate:
    of = order(number, **fields)
    frame = b'{"stream":"trade_updates","data":{"event":"fill","order":{"id":"%b"}}}'
    return TradeUpdate(event="fill", order=of, price="1", frame=frame % of.id.encode())


def shuffled(mapping: Mapping[Any, Any], rotate: int) -> dict[Any, Any]:
    items = list(mapping.items())
    return dict(items[rotate:] + items[:rotate])


@st.composite
def changed_states(draw: st.DrawFn, state: AccountState) -> AccountState:
    """The state after something happened to it: put, read again, reordered, removed."""
    number = draw(st.integers(0, 6))
    status = draw(st.sampled_from(STATUSES))
    changed: Order = order(number, status=status)
    if draw(st.booleans()):
        changed = add_field(changed)
    of_order = state.executions.get(changed.id, {})
    one = execution(draw(st.integers(0, 5)), changed.id)
    symbol = draw(st.sampled_from(SYMBOLS))
    held = position(symbol, qty=draw(st.sampled_from(["1", "2.50"])))
    changes: list[Callable[[], AccountState]] = [
        lambda: structs.replace(state, orders=put(state.orders, changed.id, changed)),
        lambda: structs.replace(
            state,
            orders=put(state.orders, changed.id, changed),
            executions=put(state.executions, changed.id, put(of_order, one.execution_id, one)),
        ),
        lambda: structs.replace(
            state, executions={**state.executions, changed.id: {one.execution_id: one}}
        ),
        lambda: structs.replace(
            state,
            orders={i: o for i, o in state.orders.items() if i != changed.id},
            executions={i: e for i, e in state.executions.items() if i != changed.id},
        ),
        lambda: structs.replace(state, orders=shuffled(state.orders, number)),
        lambda: structs.replace(
            state, orders={i: structs.replace(o) for i, o in state.orders.items()}
        ),
        lambda: structs.replace(state, positions=put(state.positions, held.symbol, held)),
        lambda: structs.replace(
            state, positions={k: p for k, p in state.positions.items() if k != symbol}
        ),
        lambda: structs.replace(state, parents={**state.parents, changed.id: OrderId("parent")}),
        lambda: structs.replace(state, provisional=frozenset({"orders"})),
        lambda: structs.replace(state, account=make_account(number)),
        lambda: state,
    ]
    return draw(st.sampled_from(changes))()


def make_account(number: int) -> Account:
    account = structs.replace(ACCOUNT, equity=f"{number}.10", user_configurations={"a": 1.5})
    return add_field(account) if number % 2 else account


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[Record, tuple[TradeUpdate, ...]]]:
    """Versions of a record one after another, each with the events that led to it."""
    versions: list[tuple[Record, tuple[TradeUpdate, ...]]] = [(record(), ())]
    for at in range(draw(st.integers(1, 12))):
        before = versions[-1][0]
        state = draw(changed_states(before.state))
        link = draw(st.sampled_from([before.link, LIVE, LOST]))
        is_new = state is not before.state or link is not before.link
        after = structs.replace(
            before,
            state=state,
            link=link,
            version=before.version + is_new,
            as_of=before.as_of + at / 7,
            confirmed_at=before.as_of if draw(st.booleans()) else before.confirmed_at,
        )
        changed = [o for i, o in state.orders.items() if o is not before.state.orders.get(i)]
        own = [TradeUpdate(event="fill", order=o, frame=b"{}") for o in changed[:2]]
        updates = tuple(draw(st.sampled_from([[], [update(at)], own, [update(at), *own]])))
        versions.append((after, updates))
    return versions
