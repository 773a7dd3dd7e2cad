"""Canceling, one order or all of an account: a cancel reduces risk, so it is repeated until its
result is known.

Only the permission is checked, and it goes even if it cannot be written to the journal.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from realtime.auth.principal import Principal
from realtime.errors import BrokerError, LinkError, NotSent, RateLimited, Refused
from realtime.orders.errors import Declined, Unresolved
from realtime.orders.journal import Journal
from realtime.orders.order_client import MAX_CANCEL_ATTEMPTS, OrderClient, to_declined
from realtime.orders.results import CanceledOrder
from realtime.orders.risk import RiskChecks
from realtime.telemetry.log import get_logger

log = get_logger()


class CancelExecutor:
    """Cancels orders of all accounts."""

    def __init__(
        self, order_clients: Mapping[str, OrderClient], risk_checks: RiskChecks, journal: Journal
    ) -> None:
        self._order_clients = order_clients
        self._risk_checks = risk_checks
        self._journal = journal
        self.generations: Counter[str] = Counter()
        """account → how often all of its orders were canceled: an order that waited meanwhile must
        not leave afterwards"""

    async def cancel(self, label: str, order_id: str, principal: Principal) -> None:
        """Cancel an order. Raises `Declined`, or `Unresolved` if the status is unknown."""
        self._risk_checks.check_may_trade(label, principal)
        facts = {"account": label, "order_id": order_id, "principal": principal.user_id}
        self._journal.note("cancel.intended", facts)
        try:
            await self._order_clients[label].cancel(order_id)
        except (Declined, Unresolved) as error:
            self._journal.note("cancel.failed", {**facts, "message": error.message})
            raise
        self._journal.note("cancel.accepted", facts)
        log.info(
            "order.cancel_accepted", account=label, order_id=order_id, principal=principal.user_id
        )

    async def cancel_all(self, labels: Sequence[str], principal: Principal) -> list[CanceledOrder]:
        """Cancel every open order of these accounts in parallel; a failure stays in its account."""
        items = await asyncio.gather(*(self._cancel_account(label, principal) for label in labels))
        return [item for items_of_account in items for item in items_of_account]

    async def _cancel_account(self, label: str, principal: Principal) -> list[CanceledOrder]:
        try:
            self._risk_checks.check_may_trade(label, principal)
            self.generations[label] += 1
            facts = {"account": label, "principal": principal.user_id}
            self._journal.note("cancel.intended", facts)
            items = await self._send(label)
        except (Declined, Unresolved) as error:
            self._journal.note("cancel.failed", {"account": label, "message": error.message})
            return [_to_failed_item(label, error)]
        except Exception:  # a bug in one account's cancel must not lose the results of the others
            log.exception("order.failed", account=label)
            unknown = "an internal error; orders may still work"
            return [
                _to_failed_item(label, Unresolved(unknown, account_id=label, client_order_id=None))
            ]
        self._journal.note("cancel.accepted", {"account": label, "count": len(items)})
        return items

    async def _send(self, label: str) -> list[CanceledOrder]:
        reason = ""
        for _ in range(MAX_CANCEL_ATTEMPTS):
            try:
                items = await self._order_clients[label].api.cancel_all()
            except (NotSent, RateLimited, Refused, BrokerError) as error:
                raise to_declined(error, label) from error
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


def _to_failed_item(label: str, error: Declined | Unresolved) -> CanceledOrder:
    """Return an account whose orders were not canceled, in the place of its orders."""
    if isinstance(error, Unresolved):
        code, status = "order_unknown", 504
    else:
        code, status = error.code, 503 if error.guard is None else 403
    body = {"code": code, "message": error.message}
    return CanceledOrder(account_id=label, order_id="", status=status, body=body)
