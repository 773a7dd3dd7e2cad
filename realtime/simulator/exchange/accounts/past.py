"""Trading before the simulator started: it is booked as if it had happened.

The account was opened then; orders, executions, activities, cash and portfolio history follow from
what is booked here, so the REST interface serves it like everything else. Every position must be
closed again on the same day.
"""

from decimal import Decimal

from realtime.simulator.exchange.accounts.account import Account, LastClose
from realtime.simulator.exchange.accounts.activities import ActivityLog
from realtime.simulator.exchange.decimals import ZERO, format_decimal
from realtime.simulator.exchange.orders.order import MARKET, Order
from realtime.simulator.exchange.state import ExchangeState
from realtime.simulator.exchange.timestamps import SECOND
from realtime.simulator.exchange.venue.assets import Asset
from realtime.simulator.exchange.venue.execution import book_execution


def open_in_the_past(account: Account, at: int) -> None:
    """Let an account that has not traded yet have been opened at an earlier time."""
    account.created_at = at
    account.activity_log = ActivityLog()
    account.activity_log.record(
        "JNLC",
        at,
        account.ids.uuid(),
        net_amount=format_decimal(account.spec.cash),
        description="opening balance",
    )


def trade_in_the_past(
    state: ExchangeState,
    account: Account,
    asset: Asset,
    side: str,
    qty: Decimal,
    price: Decimal,
    *,
    at: int,
    client_order_id: str,
) -> None:
    """Book a market order that was filled at once. Times must not go back within an account."""
    order = Order(
        id=account.ids.uuid(),
        label=account.label,
        client_order_id=client_order_id,
        number=state.next_number(),
        asset=asset,
        side=side,
        type=MARKET,
        time_in_force="day",
        order_class="simple",
        status="filled",
        submitted_at=at - SECOND,
        created_at=at - SECOND,
        updated_at=at,
        expires_at=None,
        qty=qty,
        filled_at=at,
        position_intent="",
    )
    account.orders[order.id] = order
    account.by_client_order_id[client_order_id] = order
    account.activity_log.record_fill(
        book_execution(state, account, order, qty, price, at),
    )


def deposit_in_the_past(account: Account, amount: Decimal, at: int) -> None:
    """Book a deposit."""
    account.cash += amount
    account.record_flow(at, "", ZERO, cash=amount, is_deposit=True)
    account.activity_log.record(
        "CSD", at, account.ids.uuid(), net_amount=format_decimal(amount), description=""
    )


def end_past(account: Account, day: str) -> None:
    """Begin the present: nothing is held, and `day` was the last close."""
    account.positions.clear()
    account.last_close = LastClose(day=day, equity=account.cash)
