"""Order lists (GET /v2/orders): filters, sorting, flat or nested."""

from collections.abc import Iterator, Mapping

from realtime.simulator.exchange.accounts.account import Account
from realtime.simulator.exchange.documents import rest_order
from realtime.simulator.exchange.errors import Document, malformed
from realtime.simulator.exchange.orders.order import Order
from realtime.simulator.exchange.query_params import (
    parse_bool,
    parse_choice,
    parse_count,
    parse_list,
    parse_time,
)
from realtime.simulator.exchange.timestamps import to_micros

_DEFAULT_LIMIT = 50
MAX_LIMIT = 500


def list_orders(account: Account, query: Mapping[str, str], *, micros: bool) -> list[Document]:
    """Return the list; `held` legs are open but missing from flat lists of open orders."""
    limit = parse_count(query, "limit", default=_DEFAULT_LIMIT, largest=MAX_LIMIT)
    status = parse_choice(query, "status", ("open", "closed", "all"))
    nested = parse_bool(query, "nested")
    filters = _OrderFilter(query)
    result: list[Document] = []
    for order in _candidates(account, query, status):
        if order.parent is not None and (nested or order.parent.is_multileg):
            continue
        if _has_status(order, status) and filters.matches(order):
            result.append(rest_order(order, with_legs=nested, micros=micros))
            if len(result) == limit:
                break
    return result


def _candidates(account: Account, query: Mapping[str, str], status: str) -> Iterator[Order]:
    """Yield orders in the requested direction, within the requested times."""
    descending = parse_choice(query, "direction", ("desc", "asc")) == "desc"
    source = account.open_orders if status == "open" else account.orders
    orders = sorted(source.values(), key=_place) if status == "open" else source.values()
    low, high = _bounds(account, query)
    for order in reversed(orders) if descending else orders:
        if low < _place(order) < high:
            yield order


def _place(order: Order) -> tuple[int, int]:
    return to_micros(order.submitted_at), order.number


def _bounds(account: Account, query: Mapping[str, str]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the exclusive bounds as (submitted at, order number)."""
    after, until = parse_time(query, "after"), parse_time(query, "until")
    after_id, before_id = query.get("after_order_id", ""), query.get("before_order_id", "")
    if after_id and before_id:
        raise malformed("after_order_id and before_order_id are mutually exclusive")
    if (after_id or before_id) and (after is not None or until is not None):
        raise malformed("after_order_id and before_order_id exclude after and until")
    low = (-1, 0) if after is None else (after, 1 << 62)
    high = (1 << 62, 0) if until is None else (until, 0)
    if after_id:
        low = _place(_cursor(account, after_id))
    if before_id:
        high = _place(_cursor(account, before_id))
    return low, high


def _cursor(account: Account, order_id: str) -> Order:
    order = account.orders.get(order_id)
    if order is None:
        raise malformed(f"order not found for {order_id[:40]}")
    return order


def _has_status(order: Order, status: str) -> bool:
    if status == "all":
        return True
    if status == "closed":
        return order.is_terminal
    return not order.is_terminal and order.status != "held"


class _OrderFilter:
    """Symbols, side and asset classes of a query."""

    def __init__(self, query: Mapping[str, str]) -> None:
        self._symbols = {word.replace("/", "") for word in parse_list(query, "symbols")}
        self._side = parse_choice(query, "side", ("", "buy", "sell"))
        classes = set(parse_list(query, "asset_class"))
        self._classes = set() if "all" in classes else classes

    def matches(self, order: Order) -> bool:
        """Return whether the order matches."""
        return (
            self._side in ("", order.side)
            and (not self._symbols or self._has_symbol(order))
            and (not self._classes or self._has_class(order))
        )

    def _has_symbol(self, order: Order) -> bool:
        legs = order.legs if order.is_multileg and order.legs else [order]
        return any(self._names(leg) & self._symbols for leg in legs)

    def _names(self, order: Order) -> set[str]:
        names = {order.asset.position_symbol}
        if order.asset.contract is not None and "us_option" in self._classes:
            names.add(order.asset.contract.underlying)
        return names

    def _has_class(self, order: Order) -> bool:
        asset = order.legs[0].asset if order.is_multileg and order.legs else order.asset
        return asset.asset_class in self._classes
