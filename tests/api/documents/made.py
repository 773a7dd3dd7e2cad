"""Records as the daemon makes them, for tests of documents."""

from collections.abc import Iterable, Mapping

from hypothesis import strategies as st
from msgspec import structs

from realtime.core.link import Link
from realtime.core.model import Account, AccountLabel, Order, OrderId, Position, Symbol
from realtime.core.state import AccountState
from realtime.store.records import Profile, Record
from realtime.store.store import Store

NOW = 1_791_000_000.25
"""2026-10-03T04:00:00.250Z"""

LIVE = Link(state="synced", since=NOW - 60, stale_reason=None)
LOST = Link(
    state="waiting",
    since=NOW - 1,
    reconnect_attempts=3,
    last_error_at=NOW - 1.5,
    last_error_message="connection closed (1006)",
    next_attempt_at=NOW + 41.26,
    stale_since=NOW - 1.5,
    stale_reason="connection closed (1006)",
)
REFUSED = Link(
    state="refused",
    since=NOW,
    last_error_at=NOW,
    last_error_message="key refused (401)",
    remedy="check secrets.toml [charlie], then SIGHUP",
    stale_since=NOW,
)
DISABLED = Link(state="disabled", since=NOW, stale_since=NOW, stale_reason="disabled")

ACCOUNT = Account(
    id="000000ac-1c2d-4e3f-8a4b-5c6d7e8f9a0b",
    account_number="PA0EXAMPLE01",
    status="ACTIVE",
    currency="USD",
    equity="100281.40",
    last_equity="100000",
    cash="5000.5",
    buying_power="20000",
)


def order(number: int, **fields: object) -> Order:
    """An open order, submitted `number` seconds after the hour by default."""
    at = f"2026-10-06T14:{number // 60 % 60:02}:{number % 60:02}.519102Z"
    made = Order(
        id=OrderId(f"{number:08}-1c2d-4e3f-8a4b-5c6d7e8f9a0b"),
        client_order_id=f"rt-{number:04}",
        created_at=at,
        updated_at=at,
        submitted_at=at,
        symbol="NVDA",
        asset_class="us_equity",
        qty="30",
        filled_qty="0",
        order_class="",
        order_type="limit",
        type="limit",
        side="buy",
        time_in_force="day",
        limit_price="188.4",
        status="new",
        extended_hours=False,
    )
    return structs.replace(made, **fields)


def position(symbol: str, **fields: object) -> Position:
    """A long position of two."""
    made = Position(symbol=Symbol(symbol), qty="2", side="long", avg_entry_price="10.5")
    return structs.replace(made, **fields)


def state_of(
    orders: Iterable[Order] = (),
    positions: Iterable[Position] = (),
    *,
    parents: Mapping[Order, Order] | None = None,
    provisional: Iterable[str] = (),
) -> AccountState:
    """A state that was read, with these parts."""
    return AccountState(
        account=ACCOUNT,
        positions={each.symbol: each for each in positions},
        orders={each.id: each for each in orders},
        parents={leg.id: parent.id for leg, parent in (parents or {}).items()},
        provisional=frozenset(provisional),
    )


def record(
    label: str = "alpha",
    state: AccountState | None = None,
    link: Link = LIVE,
    *,
    version: int = 7,
    tier: str | None = "premium",
) -> Record:
    """A record that is synced and has a state by default."""
    profile = Profile(label=AccountLabel(label), name="Primary", tier=tier)
    return Record(
        profile=profile,
        state=state_of() if state is None else state,
        link=link,
        version=version,
        as_of=NOW - 10,
        last_message_at=NOW - 2,
    )


def put(store: Store, label: str, link: Link, state: AccountState | None = None) -> None:
    """Add an account to a store, with a state if one was read."""
    tier = "premium" if label < "c" else "basic"
    profile = Profile(label=AccountLabel(label), name=label.title(), tier=tier)
    store.add(profile, now=NOW - 100)
    store.update(profile.label, now=NOW - 10, link=link, state=state)


def fleet() -> Store:
    """Five accounts: two synced, one lost, one refused and never read, one disabled."""
    store = Store(boot="b00t")
    put(store, "alpha", LIVE, BOOKS)
    put(store, "bravo", LOST, BOOKS)
    put(store, "charlie", REFUSED)
    poor = structs.replace(ACCOUNT, equity="9000", last_equity="9500.75")
    put(store, "delta", LIVE, structs.replace(state_of(), account=poor))
    put(store, "echo", DISABLED)
    return store


ENTRY = order(10, status="filled", order_class="bracket")
TAKE_PROFIT = order(11, side="sell", order_class="bracket")
STOP_LOSS = order(12, side="sell", status="held", order_class="bracket", type="stop")
BOOKS = state_of(
    [order(1), order(2, symbol="BTC/USD", status="canceled"), ENTRY, TAKE_PROFIT, STOP_LOSS],
    [position("TSLA"), position("ETHUSD", asset_class="crypto"), position("AAPL")],
    parents={},
)
BOOKS = structs.replace(
    BOOKS,
    parents={TAKE_PROFIT.id: ENTRY.id, STOP_LOSS.id: ENTRY.id},
    provisional=frozenset({"positions", "account"}),
)

statuses = st.sampled_from(
    ["new", "held", "filled", "canceled", "partially_filled", "accepted", "not_yet_invented"]
)
orders = st.builds(
    order,
    st.integers(0, 400),
    symbol=st.sampled_from(["NVDA", "BTC/USD", "AAPL", None]),
    side=st.sampled_from(["buy", "sell", None]),
    status=statuses,
    submitted_at=st.sampled_from(
        [None, "", "2026-10-06T14:00:00Z", "2026-10-06T14:00:00.1Z", "2026-10-06T14:00:00.099999Z"]
    ),
)


@st.composite
def states(draw: st.DrawFn) -> AccountState:
    """States of any orders, some of them legs of others."""
    listed = draw(st.lists(orders, max_size=12, unique_by=lambda each: each.id))
    ids = [each.id for each in listed] or [OrderId("nobody")]
    pairs = draw(st.dictionaries(st.sampled_from(ids), st.sampled_from([*ids, OrderId("gone")])))
    return structs.replace(state_of(listed), parents=pairs)
