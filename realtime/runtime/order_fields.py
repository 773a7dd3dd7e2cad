"""Orders of the library: fields as keyword arguments, and the results of many."""

from collections.abc import Mapping
from typing import TypeVar

from realtime.nearest import nearest
from realtime.orders.errors import Declined, Unresolved, malformed
from realtime.orders.order_request import OrderChanges, Placement, read_value
from realtime.orders.results import Placed

Form = TypeVar("Form", Placement, OrderChanges)

OrderResult = Placed | Declined | Unresolved


class OrderResults(list[OrderResult]):
    """The results of many orders, in their order."""

    @property
    def by_account(self) -> dict[str | None, list[OrderResult]]:
        """Account → its results, in their order; None: refused before an account was chosen."""
        results: dict[str | None, list[OrderResult]] = {}
        for result in self:
            results.setdefault(result.account_id, []).append(result)
        return results


def read_fields(fields: Mapping[str, object], form: type[Form]) -> Form:
    """Read an order or changes; `order_type` is `type`. Raises `Declined` naming the field."""
    values = dict(fields)
    known = form.__struct_fields__
    if "type" in known and "order_type" in values:
        order_type = values.pop("order_type")
        if values.setdefault("type", order_type) != order_type:
            raise malformed("differs from `order_type`", field="type")
    for name in values:
        if name not in known:
            meant = nearest(str(name), known)
            hint = f"; did you mean `{meant}`?" if meant else ""
            raise malformed(f"unknown field `{name}`{hint}")
    return read_value(values, form)


def try_read_order(order: Mapping[str, object]) -> Placement | Declined:
    """Read an order, or return why it cannot be read."""
    try:
        return read_fields(order, Placement)
    except Declined as error:
        account_id = order.get("account_id")
        error.account_id = account_id if isinstance(account_id, str) else None
        return error
