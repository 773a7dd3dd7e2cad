"""Routing with what it needs to know: how the accounts stand now, and whose turn it is."""

import random
from collections.abc import Callable, Mapping, Sequence

from realtime.orders.order_client import OrderClient
from realtime.orders.order_request import Placement
from realtime.orders.principal import Principal
from realtime.orders.risk import RiskChecks
from realtime.orders.routing import Candidate, RoutingDecision, choose
from realtime.telemetry.log import get_logger

log = get_logger()

MAX_TURNS = 1000
"""Kinds of questions whose turns are remembered."""

Standing = Callable[[str | None], Sequence[Candidate]]
"""Gives how an account stands now; with None all of them, in the order of the configuration."""


class Router:
    """Chooses accounts for orders."""

    def __init__(
        self,
        order_clients: Mapping[str, OrderClient],
        risk_checks: RiskChecks,
        standing: Standing,
        rng: random.Random,
    ) -> None:
        self._order_clients = order_clients
        self._risk_checks = risk_checks
        self._standing = standing
        self._rng = rng
        self._refresh_limiter: dict[object, int] = {}
        """what was asked for → how often; the longest unasked first"""

    def candidates(self, only: str | None = None) -> list[Candidate]:
        """How the accounts stand for routing, or how one of them does."""
        return [self._candidate(each) for each in self._standing(only)]

    def _candidate(self, stands: Candidate) -> Candidate:
        order_client = self._order_clients.get(stands.label)
        return Candidate(
            label=stands.label,
            tier=stands.tier,
            is_synced=stands.is_synced,
            open_orders=stands.open_orders,
            is_enabled=order_client is not None
            and self._risk_checks.why_disabled(stands.label) is None,
            in_flight=0 if order_client is None else order_client.in_flight,
        )

    def route(self, wish: Placement, principal: Principal) -> RoutingDecision:
        """Choose the account of an order. Raises `Declined`."""
        # Each kind of question has its own turns: two that alternate must not share them, or each
        # would only ever see every other account.
        asked = (wish.strategy, wish.tier, wish.labels, principal.accounts)
        turn = self._refresh_limiter.pop(asked, 0)
        candidates = self.candidates(wish.account_id)
        route = choose(wish, candidates, principal, turn=turn, draw=self._rng.random())
        self._refresh_limiter[asked] = turn + 1
        if len(self._refresh_limiter) > MAX_TURNS:
            del self._refresh_limiter[next(iter(self._refresh_limiter))]
        if route.strategy != "exact":
            log.info("order.routed", account=route.account_id, reason=route.reason)
        return route
