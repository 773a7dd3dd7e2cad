"""Closing of positions: one, a part of one, or all, by market orders."""

from decimal import ROUND_DOWN, Decimal

from realtime.simulator.exchange.accounts.account import Account
from realtime.simulator.exchange.accounts.position import Position
from realtime.simulator.exchange.decimals import (
    floor_to_nano,
    format_decimal,
    is_whole,
    parse_decimal,
)
from realtime.simulator.exchange.errors import ApiError, Document, malformed, not_found
from realtime.simulator.exchange.orders.submission import submit
from realtime.simulator.exchange.state import ExchangeState
from realtime.simulator.exchange.venue.assets import Asset

_HUNDRED = Decimal(100)


def get_position(state: ExchangeState, account: Account, name: str) -> Position:
    """Return the position of this symbol or asset id; raises ApiError."""
    asset = state.listing.find(name)
    position = account.positions.get(asset.symbol) if asset else None
    if position is None or not position.qty:
        raise not_found("position does not exist")
    return position


def close_position(
    state: ExchangeState, account: Account, name: str, *, qty: str | None, percentage: str | None
) -> Document:
    """Submit and return the order that closes a position, or part of it."""
    position = get_position(state, account, name)
    requested = _wanted_qty(position, qty, percentage)
    return submit(state, account, _closing_body(position, requested))


def close_all(state: ExchangeState, account: Account) -> list[Document]:
    """Try to close every position; an error of one does not stop the others.

    Written options are closed first: their cover is available only then.
    """
    holdings = sorted(account.holdings(), key=lambda p: not (p.asset.is_option and p.qty < 0))
    return [_closed(state, account, position) for position in holdings]


def _closed(state: ExchangeState, account: Account, position: Position) -> Document:
    symbol = position.asset.position_symbol
    try:
        order = submit(state, account, _closing_body(position, abs(position.qty)))
    except ApiError as error:
        return {"symbol": symbol, "status": error.status, "body": error.body}
    return {"symbol": symbol, "status": 200, "body": order}


def _wanted_qty(position: Position, qty: str | None, percentage: str | None) -> Decimal:
    held = abs(position.qty)
    if qty and percentage:
        raise malformed("only one of qty or percentage is accepted")
    if qty:
        requested = parse_decimal(qty, "qty")
        if requested <= 0:
            raise malformed("qty must be > 0")
        return requested
    if percentage:
        share = parse_decimal(percentage, "percentage")
        if not 0 < share <= _HUNDRED:
            raise malformed("percentage must be between 0 and 100")
        return _part(held, share / _HUNDRED)
    return held


def _part(held: Decimal, share: Decimal) -> Decimal:
    """Return a fraction of the position: whole if the position is, else nine decimals."""
    if is_whole(held):
        part = (held * share).to_integral_value(ROUND_DOWN)
        if not part:
            raise malformed("percentage of the position is less than one share")
        return part
    return floor_to_nano(held * share)


def _closing_body(position: Position, qty: Decimal) -> Document:
    return {
        "symbol": position.asset.symbol,
        "qty": format_decimal(qty),
        "side": "sell" if position.qty > 0 else "buy",
        "type": "market",
        "time_in_force": _time_in_force(position.asset),
    }


def _time_in_force(asset: Asset) -> str:
    return "gtc" if asset.is_crypto else "day"
