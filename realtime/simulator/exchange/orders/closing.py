"""Closing positions: one, a part of one, or all. Each is an ordinary market order."""

from decimal import ROUND_DOWN, Decimal

from realtime.simulator.exchange.accounts.account import Account
from realtime.simulator.exchange.accounts.position import Position
from realtime.simulator.exchange.decimals import is_whole, nano_down, plain, read_number
from realtime.simulator.exchange.errors import Document, Refusal, malformed, not_found
from realtime.simulator.exchange.orders.submission import submit
from realtime.simulator.exchange.state import Floor
from realtime.simulator.exchange.venue.assets import Asset

_HUNDRED = Decimal(100)


def find_position(floor: Floor, account: Account, name: str) -> Position:
    """Return the position of this symbol or asset id, or refuse."""
    asset = floor.listing.find(name)
    position = account.positions.get(asset.symbol) if asset else None
    if position is None or not position.qty:
        raise not_found("position does not exist")
    return position


def close_position(
    floor: Floor, account: Account, name: str, *, qty: str | None, percentage: str | None
) -> Document:
    """Send the order that closes a position, or part of it; return that order."""
    position = find_position(floor, account, name)
    wanted = _wanted_qty(position, qty, percentage)
    return submit(floor, account, _closing_body(position, wanted))


def close_all(floor: Floor, account: Account) -> list[Document]:
    """Try to close every position; one's refusal does not stop the others.

    Written options go first: what covers them is free to go only then.
    """
    holdings = sorted(account.holdings(), key=lambda p: not (p.asset.is_option and p.qty < 0))
    return [_closed(floor, account, position) for position in holdings]


def _closed(floor: Floor, account: Account, position: Position) -> Document:
    symbol = position.asset.position_symbol
    try:
        order = submit(floor, account, _closing_body(position, abs(position.qty)))
    except Refusal as refusal:
        return {"symbol": symbol, "status": refusal.status, "body": refusal.body}
    return {"symbol": symbol, "status": 200, "body": order}


def _wanted_qty(position: Position, qty: str | None, percentage: str | None) -> Decimal:
    held = abs(position.qty)
    if qty and percentage:
        raise malformed("only one of qty or percentage is accepted")
    if qty:
        wanted = read_number(qty, "qty")
        if wanted <= 0:
            raise malformed("qty must be > 0")
        return wanted
    if percentage:
        share = read_number(percentage, "percentage")
        if not 0 < share <= _HUNDRED:
            raise malformed("percentage must be between 0 and 100")
        return _part(held, share / _HUNDRED)
    return held


def _part(held: Decimal, share: Decimal) -> Decimal:
    """Return a share of the position: whole if the position is, else nine decimals."""
    if is_whole(held):
        part = (held * share).to_integral_value(ROUND_DOWN)
        if not part:
            raise malformed("percentage of the position is less than one share")
        return part
    return nano_down(held * share)


def _closing_body(position: Position, qty: Decimal) -> Document:
    return {
        "symbol": position.asset.symbol,
        "qty": plain(qty),
        "side": "sell" if position.qty > 0 else "buy",
        "type": "market",
        "time_in_force": _time_in_force(position.asset),
    }


def _time_in_force(asset: Asset) -> str:
    return "gtc" if asset.is_crypto else "day"
