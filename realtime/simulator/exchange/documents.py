"""The JSON of orders, positions and accounts: field names, order of keys, strings for numbers."""

from collections.abc import Callable
from decimal import Decimal

from realtime.simulator.exchange.accounts.account import Account
from realtime.simulator.exchange.accounts.margin import Money
from realtime.simulator.exchange.accounts.position import Position
from realtime.simulator.exchange.decimals import fraction, plain, plain_or_none
from realtime.simulator.exchange.errors import Document
from realtime.simulator.exchange.orders.order import Order
from realtime.simulator.exchange.timestamps import rfc3339, rfc3339_micros

Write = Callable[[int], str]


def frame_order(order: Order, *, with_legs: bool) -> Document:
    """Return the order as a stream frame shows it: nanoseconds, no `source`."""
    document = _exact(order)
    if order.legs and (with_legs or order.is_multileg):
        document["legs"] = [_exact(leg) for leg in order.legs]
    return document


def rest_order(order: Order, *, with_legs: bool, micros: bool) -> Document:
    """Return the order as REST shows it; `micros` when it is read back later."""
    write = rfc3339_micros if micros else rfc3339
    document = _with_source(_order(order, write) if micros else _exact(order))
    if order.is_multileg:
        document["asset_id"] = document["side"] = ""
    if order.legs and (with_legs or order.is_multileg):
        document["legs"] = [_with_source(_order(leg, write)) for leg in order.legs]
    return document


def _exact(order: Order) -> Document:
    """Render with nanoseconds.

    Most of an order never changes, and rendering it is most of an event's cost: the constant part
    is kept while events follow fast. It goes when the order ends or comes to rest, for it weighs
    two kilobytes; and who changes a quantity or a price sets `face` to None.
    """
    face = order.face or _order(order, rfc3339)
    order.face = None if order.is_terminal else face
    document = face.copy()
    _put_changes(document, order, rfc3339)
    return document


def _with_source(document: Document) -> Document:
    document["source"] = None
    document["subtag"] = None
    return document


def _order(order: Order, write: Write) -> Document:
    asset = order.asset
    kind = "" if order.ratio_qty is not None else order.type
    document: Document = {
        "id": order.id,
        "client_order_id": order.client_order_id,
        "created_at": write(order.created_at),
        "updated_at": None,
        "submitted_at": write(order.submitted_at),
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
        "notional": plain_or_none(order.notional),
        "qty": plain_or_none(order.qty),
        "filled_qty": "0",
        "filled_avg_price": None,
        "order_class": order.order_class,
        "order_type": kind,
        "type": kind,
        "side": order.side,
        "position_intent": order.position_intent,
        "time_in_force": order.time_in_force,
        "limit_price": plain_or_none(order.limit_price),
        "stop_price": plain_or_none(order.stop_price),
        "status": "",
        "extended_hours": order.extended_hours,
        "legs": None,
        "trail_percent": plain_or_none(order.trail_percent),
        "trail_price": plain_or_none(order.trail_price),
        "hwm": None,
        "expires_at": _time(order.expires_at, write),
    }
    if order.is_multileg:
        del document["position_intent"]
    if order.ratio_qty is not None:
        document["ratio_qty"] = plain(order.ratio_qty)
    _put_changes(document, order, write)
    return document


def _put_changes(document: Document, order: Order, write: Write) -> None:
    """Write what may have changed since the constant part was rendered."""
    document["updated_at"] = write(order.updated_at)
    document["status"] = order.status
    if order.filled_qty:
        document["filled_qty"] = plain(order.filled_qty)
        document["filled_avg_price"] = plain_or_none(order.filled_avg_price)
        document["filled_at"] = _time(order.filled_at, write)
    else:
        document["filled_qty"], document["filled_avg_price"] = "0", None
        document["filled_at"] = None
    document["cancel_requested_at"] = _time(order.cancel_requested_at, write)
    if order.hwm is not None:
        document["hwm"] = plain(order.hwm)
        document["stop_price"] = plain_or_none(order.stop_price)
    if order.is_terminal:
        document["expired_at"] = _time(order.expired_at, write)
        document["canceled_at"] = _time(order.canceled_at, write)
        document["failed_at"] = _time(order.failed_at, write)
        document["replaced_at"] = _time(order.replaced_at, write)
        document["replaced_by"] = order.replaced_by


def _time(at: int | None, write: Write) -> str | None:
    return None if at is None else write(at)


def position_document(
    position: Position, *, price: Decimal, lastday: Decimal, available: Decimal
) -> Document:
    """Return the position as REST shows it."""
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
        "qty": plain(position.qty),
        "avg_entry_price": plain(position.avg_entry_price),
        "side": "long" if position.qty > 0 else "short",
        "market_value": plain(value),
        "cost_basis": plain(cost),
        "unrealized_pl": plain(value - cost),
        "unrealized_plpc": plain(fraction(value - cost, cost)),
        "unrealized_intraday_pl": plain(value - base),
        "unrealized_intraday_plpc": plain(fraction(value - base, base)),
        "current_price": plain(price),
        "lastday_price": plain(lastday),
        "change_today": plain(fraction(price - lastday, lastday)),
        "qty_available": plain(available),
    }


def account_document(account: Account, money: Money, *, pdt_fields: bool) -> Document:
    """Return the account as REST shows it; `pdt_fields` adds what was removed in July 2026."""
    spec = account.spec
    yesterday = account.yesterday
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
        "buying_power": plain(money.buying_power),
        "regt_buying_power": plain(money.regt_buying_power),
        "effective_buying_power": plain(money.buying_power),
        "non_marginable_buying_power": plain(money.non_marginable_buying_power),
        "options_buying_power": plain(money.options_buying_power),
        "cash": plain(money.cash),
        "accrued_fees": "0",
        "portfolio_value": plain(money.equity),
        "trading_blocked": False,
        "transfers_blocked": False,
        "account_blocked": False,
        "created_at": rfc3339_micros(account.created_at),
        "trade_suspended_by_user": account.configuration.suspend_trade,
        "multiplier": str(account.multiplier),
        "shorting_enabled": account.may_short,
        "equity": plain(money.equity),
        "last_equity": plain(yesterday.equity),
        "long_market_value": plain(money.long_market_value),
        "short_market_value": plain(money.short_market_value),
        "position_market_value": plain(money.long_market_value + money.short_market_value),
        "initial_margin": plain(money.initial_margin),
        "maintenance_margin": plain(money.maintenance_margin),
        "last_maintenance_margin": plain(yesterday.maintenance_margin),
        "sma": plain(yesterday.equity),
        "intraday_adjustments": "0",
        "pending_reg_taf_fees": "0",
        "balance_asof": yesterday.day,
        "crypto_tier": spec.crypto_tier,
    }
    if pdt_fields:
        document["pattern_day_trader"] = False
        document["daytrade_count"] = 0
        document["daytrading_buying_power"] = plain(money.buying_power)
        document["bod_dtbp"] = 0
    return document
