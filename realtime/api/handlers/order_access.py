"""Who asks, for the routes that move money: the reader's principal in the words of orders."""

from collections.abc import Mapping

from aiohttp import web

from realtime.api.order_routes import trade_paths
from realtime.api.security.authenticator import PRINCIPAL, Access
from realtime.auth.principal import LOCAL
from realtime.auth.principal import Principal as Reader
from realtime.orders.principal import Principal


def reader_of(request: web.Request) -> Reader:
    """Who was let in."""
    reader: Reader = request.get(PRINCIPAL, LOCAL)
    return reader


def who_asks(request: web.Request) -> Principal:
    """Who was let in, as far as orders care."""
    reader = reader_of(request)
    return Principal(
        name=reader.user_id, may_trade=reader.has_permission("trading"), accounts=reader.accounts
    )


def trade_access(prefixes: tuple[str, ...]) -> Mapping[str, Access]:
    """Path as the router names it → what it wants. The method decides on a path that has both
    kinds (`endpoints.py`): any token that is believed gets so far."""
    return {path: "trading" if moves else "any" for path, moves in trade_paths(prefixes)}
