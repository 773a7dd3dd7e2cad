"""Canceling, one order or all of an account: what takes risk away is sent again until it is known.

No guard but the permission stands before it, and it goes even if it cannot be written down.
"""

import asyncio
from collections.abc import Mapping, Sequence

import msgspec

from realtime.errors import BrokerError, LinkError, NotSent, RateLimited, Refused
from realtime.orders.errors import Declined, Unresolved
from realtime.orders.journal import Journal
from realtime.orders.order_client import CANCELS_AT_MOST, OrderClient, declined
from realtime.orders.principal import Principal
from realtime.orders.results import CanceledOrder
from realtime.orders.risk import RiskChecks
from realtime.telemetry.log import get_logger

log = get_logger()


class CancelExecutor:
    """Of all accounts."""

    def __init__(
        self, dealers: Mapping[str, OrderClient], guards: RiskChecks, journal: Journal
    ) -> None:
        self._dealers = dealers
        self._guards = guards
        self._journal = journal

    async def one(self, label: str, order_id: str, who: Principal) -> None:
        """Cancel an order. Raises `Declined`, or `Unresolved` if nobody knows."""
        self._guards.check_may_trade(label, who)
        facts = {"account": label, "order_id": order_id, "who": who.name}
        self._journal.note("cancel.intended", facts)
        try:
            await self._dealers[label].cancel(order_id)
        except (Declined, Unresolved) as no:
            self._journal.note("cancel.failed", {**facts, "message": no.message})
            raise
        self._journal.note("cancel.accepted", facts)
        log.info("order.cancel_accepted", account=label, order_id=order_id, who=who.name)

    async def all_of(self, labels: Sequence[str], who: Principal) -> list[CanceledOrder]:
        """Cancel every open order of these accounts, all in parallel; one's trouble is its own."""
        items = await asyncio.gather(*(self._all_of_one(label, who) for label in labels))
        return [item for each in items for item in each]

    async def _all_of_one(self, label: str, who: Principal) -> list[CanceledOrder]:
        try:
            self._guards.check_may_trade(label, who)
            self._journal.note("cancel.intended", {"account": label, "who": who.name})
            items = await self._tell(label)
        except (Declined, Unresolved) as no:
            self._journal.note("cancel.failed", {"account": label, "message": no.message})
            return [_failed(label, no)]
        self._journal.note("cancel.accepted", {"account": label, "count": len(items)})
        return items

    async def _tell(self, label: str) -> list[CanceledOrder]:
        reason = ""
        for _ in range(CANCELS_AT_MOST):
            try:
                items = await self._dealers[label].trade.cancel_all()
            except (NotSent, RateLimited, Refused, BrokerError) as error:
                raise declined(error, label) from error
            except LinkError as error:
                reason = error.message
                continue
            return [
                CanceledOrder(
                    account_id=label,
                    order_id=item.order_id,
                    status=item.status,
                    body=msgspec.json.decode(item.body),
                )
                for item in items
            ]
        raise Unresolved(f"{reason}; orders may still work", account_id=label, client_order_id=None)


def _failed(label: str, no: Declined | Unresolved) -> CanceledOrder:
    """An account whose orders were not canceled, in the place of its orders."""
    if isinstance(no, Unresolved):
        code, status = "order_unknown", 504
    else:
        code, status = no.code, 503 if no.guard is None else 403
    said = {"code": code, "message": no.message}
    return CanceledOrder(account_id=label, order_id="", status=status, body=said)
