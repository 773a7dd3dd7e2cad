"""The table of routes for orders: those that move money, and reads with the same parameters.

Entries of the same kind as in `routes.py`; the dispatcher checks the permission of each method.
"""

from typing import Any

from msgspec import Struct

from realtime.api.handlers import liquidation
from realtime.api.handlers import order_placement as placement
from realtime.api.handlers import order_queries as queries
from realtime.api.handlers.order_requests import (
    AccountQuery,
    AccountsQuery,
    RoutingQuery,
)
from realtime.api.parameters import NoQuery
from realtime.api.route import Route
from realtime.core.model import Account, Order, Position
from realtime.orders.interface import BudgetDocument
from realtime.orders.order_request import OrderChanges, Placement
from realtime.orders.results import HaltState, Origin

PLACING = (
    "account_required", "invalid_order", "no_account", "unknown_account", "account_not_synced",
    "trading_not_permitted", "trading_disabled", "guard_notional", "guard_symbol", "guard_side",
    "guard_contracts", "guard_equity",
    "guard_rate", "orders_halted", "account_closing", "budget_spent", "rate_limited",
    "account_restricted", "canceled_before_sent",
    "position_unsettled", "order_failed", "broker_forbids", "broker_knows_not",
    "broker_refuses", "broker_unreachable",
    "account_refused", "journal_unwritable", "not_owner", "engine_unreachable", "order_unknown",
)  # fmt: skip
"""Codes of calls that place orders."""

READING = ("unknown_account", "starting", "account_unreachable", "account_refused")


class PlacedOrder(Order, frozen=True, kw_only=True):
    """Alpaca's order, with its account and origin."""

    account_id: str
    origin: Origin


class CanceledItem(Struct, frozen=True, kw_only=True):
    """The result for one order of a cancel-all."""

    account_id: str
    id: str
    status: int
    body: object


ORDER_ROUTES: tuple[Route[Any], ...] = (
    Route(
        access="any",
        method="POST",
        at_owner=True,
        paths=("/orders",),
        summary="Place an order; account_id, routing_key or a strategy selects the account",
        query=RoutingQuery,
        body=Placement,
        handler=placement.place,
        document=PlacedOrder,
        problems=PLACING,
    ),
    Route(
        access="any",
        method="POST",
        at_owner=True,
        paths=("/stocks/order",),
        summary="The same, checked to be an order for a stock",
        query=RoutingQuery,
        body=Placement,
        handler=placement.place_stock,
        document=PlacedOrder,
        problems=PLACING,
    ),
    Route(
        access="any",
        method="POST",
        at_owner=True,
        paths=("/options/order",),
        summary="The same, checked to be an order for options",
        query=RoutingQuery,
        body=Placement,
        handler=placement.place_option,
        document=PlacedOrder,
        problems=PLACING,
    ),
    Route(
        access="any",
        method="POST",
        at_owner=True,
        paths=("/stocks/{symbol}/buy",),
        summary="Buy by quantity or amount",
        query=placement.QuickOrder,
        body=placement.QuickOrder,
        handler=placement.buy,
        document=PlacedOrder,
        problems=PLACING,
    ),
    Route(
        access="any",
        method="POST",
        at_owner=True,
        paths=("/stocks/{symbol}/sell",),
        summary="Sell by quantity or amount",
        query=placement.QuickOrder,
        body=placement.QuickOrder,
        handler=placement.sell,
        document=PlacedOrder,
        problems=PLACING,
    ),
    Route(
        access="any",
        method="POST",
        at_owner=True,
        paths=("/orders/batch",),
        summary="Place many orders on many accounts at once; one result per order",
        query=RoutingQuery,
        body=placement.Batch,
        handler=placement.place_batch,
        document=list[placement.BatchItem],
        problems=("invalid_order",),
    ),
    Route(
        access="any",
        method="GET",
        paths=("/orders",),
        summary="Orders of some accounts, newest first, each with its account and origin",
        query=queries.OrdersQuery,
        handler=queries.get_orders,
        document=list[PlacedOrder],
        problems=READING,
    ),
    Route(
        access="any",
        method="DELETE",
        at_owner=True,
        paths=("/orders",),
        summary="Cancel every open order of some accounts, or of all",
        query=AccountsQuery,
        handler=placement.cancel_all,
        document=list[CanceledItem],
        problems=("unknown_account",),
    ),
    Route(
        access="any",
        method="GET",
        at_owner=True,
        paths=("/orders/by_client_order_id",),
        summary="One order by its client order id; looked up at the broker if necessary",
        query=queries.ClientOrderQuery,
        handler=queries.get_by_client_order_id,
        reaches_broker=lambda _: True,
        document=PlacedOrder,
        problems=("unknown_account", "unknown_order", "budget_spent", "broker_unreachable"),
    ),
    Route(
        access="any",
        method="GET",
        at_owner=True,
        paths=("/orders/halt",),
        summary="What the kill switch has halted",
        query=NoQuery,
        handler=liquidation.get_halts,
        document=HaltState,
    ),
    Route(
        access="any",
        method="POST",
        at_owner=True,
        paths=("/orders/halt",),
        summary="The kill switch: stop new orders of one account, or of all",
        query=liquidation.HaltQuery,
        body=liquidation.HaltBody,
        handler=liquidation.halt,
        document=HaltState,
        problems=("unknown_account", "journal_unwritable"),
    ),
    Route(
        access="any",
        method="POST",
        at_owner=True,
        paths=("/orders/resume",),
        summary="Allow new orders again",
        query=liquidation.HaltQuery,
        body=liquidation.HaltBody,
        handler=liquidation.resume,
        document=HaltState,
        problems=("unknown_account", "journal_unwritable"),
    ),
    Route(
        access="any",
        method="GET",
        at_owner=True,
        paths=("/orders/closing",),
        summary="Progress of closing accounts, by symbol",
        query=AccountsQuery,
        handler=liquidation.get_liquidations,
        document=liquidation.LiquidationDocument,
        problems=("unknown_account",),
    ),
    Route(
        access="any",
        method="DELETE",
        at_owner=True,
        paths=("/orders/closing",),
        summary="End liquidations that are not done; the accounts keep what they have",
        query=AccountsQuery,
        handler=liquidation.release,
        document=liquidation.LiquidationDocument,
        problems=("unknown_account",),
    ),
    Route(
        access="any",
        method="GET",
        paths=("/orders/{order_id}",),
        summary="One order by the broker's id",
        query=AccountQuery,
        handler=queries.get_order,
        document=PlacedOrder,
        problems=("unknown_account", "unknown_order"),
    ),
    Route(
        access="any",
        method="PATCH",
        at_owner=True,
        paths=("/orders/{order_id}",),
        summary="Replace an order; the response is its successor",
        query=AccountQuery,
        body=OrderChanges,
        handler=placement.replace,
        document=PlacedOrder,
        problems=("unknown_order", *PLACING),
    ),
    Route(
        access="any",
        method="DELETE",
        at_owner=True,
        paths=("/orders/{order_id}",),
        summary="Cancel an order",
        query=AccountQuery,
        handler=placement.cancel,
        document=None,
        problems=("unknown_order", *PLACING),
    ),
    Route(
        access="any",
        method="GET",
        paths=("/account",),
        summary="One account's figures, by name or by routing parameters",
        query=RoutingQuery,
        handler=queries.get_account,
        document=Account,
        problems=("account_required", "no_account", *READING),
    ),
    Route(
        access="any",
        method="GET",
        paths=("/positions",),
        summary="One account's positions, by name or by routing parameters",
        query=RoutingQuery,
        handler=queries.get_positions,
        document=list[Position],
        problems=("account_required", "no_account", *READING),
    ),
    Route(
        access="any",
        method="DELETE",
        at_owner=True,
        paths=("/positions",),
        summary="Close everything, everywhere: cancel all, close all, until nothing is left",
        query=liquidation.CloseEverythingQuery,
        handler=liquidation.close_everything,
        document=liquidation.LiquidationDocument,
        problems=("confirm_required", "trading_not_permitted", "journal_unwritable"),
    ),
    Route(
        access="any",
        method="DELETE",
        at_owner=True,
        paths=("/positions/{account_id}",),
        summary="Close one account: cancel all, close all, until nothing is left",
        query=liquidation.CloseQuery,
        handler=liquidation.close_account,
        document=liquidation.LiquidationDocument,
        problems=("unknown_account", "trading_disabled", "journal_unwritable"),
    ),
    Route(
        access="any",
        method="DELETE",
        at_owner=True,
        paths=("/positions/{account_id}/{symbol}",),
        summary="Close one position, or a part of it",
        query=liquidation.PartQuery,
        handler=liquidation.close_position,
        document=PlacedOrder,
        problems=PLACING,
    ),
    Route(
        access="any",
        method="GET",
        at_owner=True,
        paths=("/realtime/budget/{account_id}",),
        summary="What is left of an account's requests to the broker, and what used them",
        query=NoQuery,
        handler=queries.get_budget,
        document=BudgetDocument,
        problems=READING,
    ),
)
