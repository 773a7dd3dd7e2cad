"""JSON of orders, positions and accounts: field names, order of keys, numbers as strings."""

from collections.abc import Callable
from decimal import Decimal

from realtime.simulator.exchange.accounts.account import Account
from realtime.simulator.exchange.accounts.margin import Balances
from realtime.simulator.exchange.accounts.position import Position
from realtime.simulator.exchange.decimals import format_decimal, format_optional_decimal, fraction
from realtime.simulator.exchange.errors import Document
from realtime.simulator.exchange.orders.order import Order
from realtime.simulator.exchange.timestamps import format_rfc3339, format_rfc3339_micros

FormatTime = Callable[[int], str]


def frame_order(order: Order, *, with_legs: bool) -> Document:
    """Return the order as in a stream frame: nanoseconds, no `source`."""
    document = _cached_order_document(order)
    if order.legs and (with_legs or order.is_multileg):
        document["legs"] = [_cached_order_document(leg) for leg in order.legs]
    return document


def rest_order(order: Order, *, with_legs: bool, micros: bool) -> Document:
    """Return the order as in REST; with `micros`, as it is read later."""
    format_time = format_rfc3339_micros if micros else format_rfc3339
    document = _with_source(
        _order_document(order, format_time) if micros else _cached_order_document(order)
    )
    if order.is_multileg:
        document["asset_id"] = document["side"] = ""
    if order.legs and (with_legs or order.is_multileg):
        document["legs"] = [_with_source(_order_document(leg, format_time)) for leg in order.legs]
    return document


def _cached_order_document(order: Order) -> Document:
    """Return the document with nanoseconds, from the order's cache where possible.

    Most of an order never changes, and building its document is most of an event's cost: the
    constant part is cached while events follow fast. The cache (2 KB) is dropped when the order
    ends or rests, and must be set to None when a quantity or a price changes.
    """
    cached_document = order.cached_document or _order_document(order, format_rfc3339)
    order.cached_document = None if order.is_terminal else cached_document
    document = cached_document.copy()
    _update_document(document, order, format_rfc3339)
    return document


def _with_source(document: Document) -> Document:
    document["source"] = None
    document["subtag"] = None
    return document


def _order_document(order: Order, format_time: FormatTime) -> Document:
    asset = order.asset
    kind = "" if order.ratio_qty is not None else order.type
    document: Document = {
        "id": order.id,
        "client_order_id": order.client_order_id,
        "created_at": format_time(order.created_at),
        "updated_at": None,
        "submitted_at": format_time(order.submitted_at),
        "filled_at": None,
        "expired_at": None,
        "cancel_requested_at": None,
        "canceled_at": None,
        "failed_at": None,
        "replaced_at": None,
        "replaced_by": None,
        "replaces": order.replaces,
        "asset_id": asset.id,
        "symbol": asset.symbol,
        "asset_class": asset.asset_class,
        "notional": format_optional_decimal(order.notional),
        "qty": format_optional_decimal(order.qty),
        "filled_qty": "0",
        "filled_avg_price": None,
        "order_class": order.order_class,
        "order_type": kind,
        "type": kind,
        "side": order.side,
        "position_intent": order.position_intent,
        "time_in_force": order.time_in_force,
        "limit_price": format_optional_decimal(order.limit_price),
        "stop_price": format_optional_decimal(order.stop_price),
        "status": "",
        "extended_hours": order.extended_hours,
        "legs": None,
        "trail_percent": format_optional_decimal(order.trail_percent),
        "trail_price": format_optional_decimal(order.trail_price),
        "hwm": None,
        "expires_at": _format_optional_time(order.expires_at, format_time),
    }
    if order.is_multileg:
        del document["position_intent"]
    if order.ratio_qty is not None:
        document["ratio_qty"] = format_decimal(order.ratio_qty)
    _update_document(document, order, format_time)
    return document


def _update_document(document: Document, order: Order, format_time: FormatTime) -> None:
    """Update the fields that may have changed since the document was cached."""
    document["updated_at"] = format_time(order.updated_at)
    document["status"] = order.status
    if order.filled_qty:
        document["filled_qty"] = format_decimal(order.filled_qty)
        document["filled_avg_price"] = format_optional_decimal(order.filled_avg_price)
        document["filled_at"] = _format_optional_time(order.filled_at, format_time)
    else:
        document["filled_qty"], document["filled_avg_price"] = "0", None
        document["filled_at"] = None
    document["cancel_requested_at"] = _format_optional_time(order.cancel_requested_at, format_time)
    if order.hwm is not None:
        document["hwm"] = format_decimal(order.hwm)
        document["stop_price"] = format_optional_decimal(order.stop_price)
    if order.is_terminal:
        document["expired_at"] = _format_optional_time(order.expired_at, format_time)
        document["canceled_at"] = _format_optional_time(order.canceled_at, format_time)
        document["failed_at"] = _format_optional_time(order.failed_at, format_time)
        document["replaced_at"] = _format_optional_time(order.replaced_at, format_time)
        document["replaced_by"] = order.replaced_by


def _format_optional_time(at: int | None, format_time: FormatTime) -> str | None:
    return None if at is None else format_time(at)


def position_document(
    position: Position, *, price: Decimal, lastday: Decimal, available: Decimal
) -> Document:
    """Return the position as in REST."""
    asset = position.asset
    value = position.market_value(price)
    cost = position.cost_basis
    base = position.intraday_base(lastday)
    return {
        "asset_id": asset.id,
        "symbol": asset.position_symbol,
        "exchange": asset.exchange,
        "asset_class": asset.asset_class,
        "asset_marginable": asset.marginable,
        "qty": format_decimal(position.qty),
        "avg_entry_price": format_decimal(position.avg_entry_price),
        "side": "long" if position.qty > 0 else "short",
        "market_value": format_decimal(value),
        "cost_basis": format_decimal(cost),
        "unrealized_pl": format_decimal(value - cost),
        "unrealized_plpc": format_decimal(fraction(value - cost, cost)),
        "unrealized_intraday_pl": format_decimal(value - base),
        "unrealized_intraday_plpc": format_decimal(fraction(value - base, base)),
        "current_price": format_decimal(price),
        "lastday_price": format_decimal(lastday),
        "change_today": format_decimal(fraction(price - lastday, lastday)),
        "qty_available": format_decimal(available),
    }


def account_document(account: Account, balances: Balances, *, pdt_fields: bool) -> Document:
    """Return the account as in REST; `pdt_fields` adds the fields removed in July 2026."""
    spec = account.spec
    last_close = account.last_close
    document: Document = {
        "id": account.id,
        "admin_configurations": {},
        "user_configurations": None,
        "account_number": spec.account_number,
        "status": "ACTIVE",
        "crypto_status": "ACTIVE",
        "options_approved_level": spec.options_level,
        "options_trading_level": account.options_level,
        "currency": "USD",
        "buying_power": format_decimal(balances.buying_power),
        "regt_buying_power": format_decimal(balances.regt_buying_power),
        "effective_buying_power": format_decimal(balances.buying_power),
        "non_marginable_buying_power": format_decimal(balances.non_marginable_buying_power),
        "options_buying_power": format_decimal(balances.options_buying_power),
        "cash": format_decimal(balances.cash),
        "accrued_fees": "0",
        "portfolio_value": format_decimal(balances.equity),
        "trading_blocked": False,
        "transfers_blocked": False,
        "account_blocked": False,
        "created_at": format_rfc3339_micros(account.created_at),
        "trade_suspended_by_user": account.configuration.suspend_trade,
        "multiplier": str(account.multiplier),
        "shorting_enabled": account.may_short,
        "equity": format_decimal(balances.equity),
        "last_equity": format_decimal(last_close.equity),
        "long_market_value": format_decimal(balances.long_market_value),
        "short_market_value": format_decimal(balances.short_market_value),
        "position_market_value": format_decimal(
            balances.long_market_value + balances.short_market_value
        ),
        "initial_margin": format_decimal(balances.initial_margin),
        "maintenance_margin": format_decimal(balances.maintenance_margin),
        "last_maintenance_margin": format_decimal(last_close.maintenance_margin),
        "sma": format_decimal(last_close.equity),
        "intraday_adjustments": "0",
        "pending_reg_taf_fees": "0",
        "balance_asof": last_close.day,
        "crypto_tier": spec.crypto_tier,
    }
    if pdt_fields:
        document["pattern_day_trader"] = False
        document["daytrade_count"] = 0
        document["daytrading_buying_power"] = format_decimal(balances.buying_power)
        document["bod_dtbp"] = 0
    return document
