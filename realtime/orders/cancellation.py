"""Canceling, one order or all of an account: what takes risk away is sent again until it is known.

No guard but the permission stands before it, and it goes even if it cannot be written down.
"""

import asyncio
from collections.abc import Mapping, Sequence

import msgspec

from realtime.errors import BrokerError, LinkError, NotSent, RateLimited, Refused
from realtime.orders.errors import Declined, Unresolved
from realtime.orders.journal import Journal
from realtime.orders.order_client import MAX_CANCELS, OrderClient, declined
from realtime.orders.principal import Principal
from realtime.orders.results import CanceledOrder
from realtime.orders.risk import RiskChecks
from realtime.telemetry.log import get_logger

log = get_logger()


class CancelExecutor:
    """Of all accounts."""

    def __init__(
        self, order_clients: Mapping[str, OrderClient], risk_checks: RiskChecks, journal: Journal
    ) -> None:
        self._order_clients = order_clients
        self._risk_checks = risk_checks
        self._journal = journal

    async def one(self, label: str, order_id: str, principal: Principal) -> None:
        """Cancel an order. Raises `Declined`, or `Unresolved` if nobody knows."""
        self._risk_checks.check_may_trade(label, principal)
        facts = {"account": label, "order_id": order_id, "principal": principal.name}
        self._journal.note("cancel.intended", facts)
        try:
            await self._order_clients[label].cancel(order_id)
        except (Declined, Unresolved) as no:
            self._journal.note("cancel.failed", {**facts, "message": no.message})
            raise
        self._journal.note("cancel.accepted", facts)
        log.info(
            "order.cancel_accepted", account=label, order_id=order_id, principal=principal.name
        )

    async def all_of(self, labels: Sequence[str], principal: Principal) -> list[CanceledOrder]:
        """Cancel every open order of these accounts, all in parallel; one's trouble is its own."""
        items = await asyncio.gather(*(self._all_of_one(label, principal) for label in labels))
        return [item for each in items for item in each]

    async def _all_of_one(self, label: str, principal: Principal) -> list[CanceledOrder]:
        try:
            self._risk_checks.check_may_trade(label, principal)
            self._journal.note("cancel.intended", {"account": label, "principal": principal.name})
            items = await self._tell(label)
        except (Declined, Unresolved) as no:
            self._journal.note("cancel.failed", {"account": label, "message": no.message})
            return [_failed(label, no)]
        self._journal.note("cancel.accepted", {"account": label, "count": len(items)})
        return items

    async def _tell(self, label: str) -> list[CanceledOrder]:
        reason = ""
        for _ in range(MAX_CANCELS):
            try:
                items = await self._order_clients[label].trade.cancel_all()
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
