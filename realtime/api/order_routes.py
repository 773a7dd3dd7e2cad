"""The table of routes that move money, and of those that read by the same words.

Like `server.routes`, with a method, a body, and answers that are waited for.
"""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Generic, Literal, TypeVar

from msgspec import Struct

from realtime.api.handlers import liquidation as stopping
from realtime.api.handlers import order_placement as placing
from realtime.api.handlers import order_queries as looking
from realtime.api.handlers.order_context import (
    AccountQuery,
    AccountsQuery,
    OrderRequestContext,
    RoutingQuery,
)
from realtime.api.parameters import NoQuery
from realtime.api.responses import ApiResponse
from realtime.core.model import Account, Order, Position
from realtime.orders.interface import BudgetDocument
from realtime.orders.order_request import OrderChanges, Placement
from realtime.orders.results import HaltState, Origin

Query = TypeVar("Query", bound=Struct)
Method = Literal["GET", "POST", "PATCH", "DELETE"]

PLACING = (
    "account_required", "invalid_order", "no_account", "unknown_account", "account_not_synced",
    "trading_not_permitted", "trading_disabled", "guard_notional", "guard_symbol", "guard_side",
    "guard_rate", "orders_halted", "account_closing", "budget_spent", "rate_limited",
    "broker_forbids", "broker_knows_not", "broker_refuses", "broker_unreachable",
    "account_refused", "journal_unwritable", "order_unknown",
)  # fmt: skip
"""Codes that a call which moves money may answer."""

READING = ("unknown_account", "starting", "account_unreachable", "account_refused")


class PlacedOrder(Order, frozen=True, kw_only=True):
    """Alpaca's order, with its account and whose it is."""

    account_id: str
    origin: Origin


class CanceledItem(Struct, frozen=True, kw_only=True):
    """What became of one order of a cancel-all."""

    account_id: str
    id: str
    status: int
    body: object


class TradeRoute(Struct, Generic[Query], frozen=True, kw_only=True):
    """One thing that can be asked for."""

    method: Method
    paths: tuple[str, ...]
    summary: str
    query: type[Query]
    answer: Callable[[OrderRequestContext[Query]], Awaitable[ApiResponse]]
    document: object
    """The type of the JSON answered; None if there is none."""
    body: type[Struct] | None = None
    """The type of the JSON sent; None if there is none."""
    problems: tuple[str, ...] = ()

    @property
    def is_trading(self) -> bool:
        """Whether it wants the permission `trading`; otherwise `account_access`."""
        return self.method != "GET"


TRADE_ROUTES: tuple[TradeRoute[Any], ...] = (
    TradeRoute(
        method="POST",
        paths=("/orders",),
        summary="Place an order; account_id, routing_key or a strategy says where",
        query=NoQuery,
        body=Placement,
        answer=placing.place,
        document=PlacedOrder,
        problems=PLACING,
    ),
    TradeRoute(
        method="POST",
        paths=("/stocks/order",),
        summary="The same, checked to be an order for a stock",
        query=NoQuery,
        body=Placement,
        answer=placing.place_stock,
        document=PlacedOrder,
        problems=PLACING,
    ),
    TradeRoute(
        method="POST",
        paths=("/options/order",),
        summary="The same, checked to be an order for options",
        query=NoQuery,
        body=Placement,
        answer=placing.place_option,
        document=PlacedOrder,
        problems=PLACING,
    ),
    TradeRoute(
        method="POST",
        paths=("/stocks/{symbol}/buy",),
        summary="Buy by quantity or amount",
        query=placing.QuickOrder,
        body=placing.QuickOrder,
        answer=placing.buy,
        document=PlacedOrder,
        problems=PLACING,
    ),
    TradeRoute(
        method="POST",
        paths=("/stocks/{symbol}/sell",),
        summary="Sell by quantity or amount",
        query=placing.QuickOrder,
        body=placing.QuickOrder,
        answer=placing.sell,
        document=PlacedOrder,
        problems=PLACING,
    ),
    TradeRoute(
        method="POST",
        paths=("/orders/batch",),
        summary="Many orders on many accounts at once; an answer for each, in their order",
        query=NoQuery,
        body=placing.Batch,
        answer=placing.place_batch,
        document=list[placing.BatchItem],
        problems=("invalid_order",),
    ),
    TradeRoute(
        method="GET",
        paths=("/orders",),
        summary="Orders of some accounts, newest first, each with its account and origin",
        query=looking.OrdersQuery,
        answer=looking.find_orders,
        document=list[PlacedOrder],
        problems=READING,
    ),
    TradeRoute(
        method="DELETE",
        paths=("/orders",),
        summary="Cancel every open order of some accounts, or of all",
        query=AccountsQuery,
        answer=placing.cancel_all,
        document=list[CanceledItem],
        problems=("unknown_account",),
    ),
    TradeRoute(
        method="GET",
        paths=("/orders/by_client_order_id",),
        summary="One order by its client order id; the broker is asked if need be",
        query=looking.ClientOrderQuery,
        answer=looking.find_by_client_order_id,
        document=PlacedOrder,
        problems=("unknown_account", "unknown_order", "broker_unreachable"),
    ),
    TradeRoute(
        method="GET",
        paths=("/orders/halt",),
        summary="What the kill switch stops",
        query=NoQuery,
        answer=stopping.halted,
        document=HaltState,
    ),
    TradeRoute(
        method="POST",
        paths=("/orders/halt",),
        summary="The kill switch: stop new orders of one account, or of everybody",
        query=stopping.HaltQuery,
        body=stopping.HaltBody,
        answer=stopping.halt,
        document=HaltState,
        problems=("unknown_account", "journal_unwritable"),
    ),
    TradeRoute(
        method="POST",
        paths=("/orders/resume",),
        summary="Allow new orders again",
        query=stopping.HaltQuery,
        body=stopping.HaltBody,
        answer=stopping.resume,
        document=HaltState,
        problems=("unknown_account", "journal_unwritable"),
    ),
    TradeRoute(
        method="GET",
        paths=("/orders/closing",),
        summary="How far closing accounts is, symbol by symbol",
        query=AccountsQuery,
        answer=stopping.liquidations,
        document=stopping.LiquidationDocument,
        problems=("unknown_account",),
    ),
    TradeRoute(
        method="DELETE",
        paths=("/orders/closing",),
        summary="End closings that are not done; the accounts keep what they have",
        query=AccountsQuery,
        answer=stopping.release,
        document=stopping.LiquidationDocument,
        problems=("unknown_account",),
    ),
    TradeRoute(
        method="GET",
        paths=("/orders/{order_id}",),
        summary="One order by the broker's id",
        query=AccountQuery,
        answer=looking.find_order,
        document=PlacedOrder,
        problems=("unknown_account", "unknown_order"),
    ),
    TradeRoute(
        method="PATCH",
        paths=("/orders/{order_id}",),
        summary="Replace an order; the answer is its successor",
        query=AccountQuery,
        body=OrderChanges,
        answer=placing.replace,
        document=PlacedOrder,
        problems=("unknown_order", *PLACING),
    ),
    TradeRoute(
        method="DELETE",
        paths=("/orders/{order_id}",),
        summary="Cancel an order",
        query=AccountQuery,
        answer=placing.cancel,
        document=None,
        problems=("unknown_order", *PLACING),
    ),
    TradeRoute(
        method="GET",
        paths=("/account",),
        summary="One account's figures, by name or by the words of routing",
        query=RoutingQuery,
        answer=looking.account,
        document=Account,
        problems=("account_required", "no_account", *READING),
    ),
    TradeRoute(
        method="GET",
        paths=("/positions",),
        summary="One account's positions, by name or by the words of routing",
        query=RoutingQuery,
        answer=looking.positions,
        document=list[Position],
        problems=("account_required", "no_account", *READING),
    ),
    TradeRoute(
        method="DELETE",
        paths=("/positions",),
        summary="Close everything, everywhere: cancel all, close all, until nothing is left",
        query=stopping.CloseEverythingQuery,
        answer=stopping.close_everything,
        document=stopping.LiquidationDocument,
        problems=("confirm_required", "trading_not_permitted", "journal_unwritable"),
    ),
    TradeRoute(
        method="DELETE",
        paths=("/positions/{account_id}",),
        summary="Close one account: cancel all, close all, until nothing is left",
        query=stopping.CloseQuery,
        answer=stopping.close_account,
        document=stopping.LiquidationDocument,
        problems=("unknown_account", "trading_disabled", "journal_unwritable"),
    ),
    TradeRoute(
        method="DELETE",
        paths=("/positions/{account_id}/{symbol}",),
        summary="Close one position, or a part of it",
        query=stopping.PartQuery,
        answer=stopping.close_position,
        document=PlacedOrder,
        problems=("position_unsettled", *PLACING),
    ),
    TradeRoute(
        method="GET",
        paths=("/realtime/budget/{account_id}",),
        summary="What is left of an account's requests to the broker, and who spent them",
        query=looking.BudgetQuery,
        answer=looking.budget,
        document=BudgetDocument,
        problems=READING,
    ),
)


def trade_paths(prefixes: tuple[str, ...]) -> Iterator[tuple[str, bool]]:
    """Each path under each prefix, and whether every method of it moves money."""
    for path in dict.fromkeys(path for route in TRADE_ROUTES for path in route.paths):
        methods = [route for route in TRADE_ROUTES if path in route.paths]
        for prefix in prefixes:
            yield prefix + path, all(route.is_trading for route in methods)
