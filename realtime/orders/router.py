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

TURNS_MOST = 1000
"""Kinds of questions whose turns are remembered."""

Standing = Callable[[str | None], Sequence[Candidate]]
"""Gives how an account stands now; with None all of them, in the order of the configuration."""


class Router:
    """Chooses accounts for orders."""

    def __init__(
        self,
        dealers: Mapping[str, OrderClient],
        guards: RiskChecks,
        standing: Standing,
        chance: random.Random,
    ) -> None:
        self._dealers = dealers
        self._guards = guards
        self._standing = standing
        self._chance = chance
        self._turns: dict[object, int] = {}
        """what was asked for → how often; the longest unasked first"""

    def candidates(self, only: str | None = None) -> list[Candidate]:
        """How the accounts stand for routing, or how one of them does."""
        return [self._candidate(each) for each in self._standing(only)]

    def _candidate(self, stands: Candidate) -> Candidate:
        dealer = self._dealers.get(stands.label)
        return Candidate(
            label=stands.label,
            tier=stands.tier,
            is_live=stands.is_live,
            open_orders=stands.open_orders,
            is_enabled=dealer is not None and self._guards.why_disabled(stands.label) is None,
            in_flight=0 if dealer is None else dealer.in_flight,
        )

    def route(self, wish: Placement, who: Principal) -> RoutingDecision:
        """Choose the account of an order. Raises `Declined`."""
        # Each kind of question has its own turns: two that alternate must not share them, or each
        # would only ever see every other account.
        asked = (wish.strategy, wish.tier, wish.labels, who.accounts)
        turn = self._turns.pop(asked, 0)
        candidates = self.candidates(wish.account_id)
        route = choose(wish, candidates, who, turn=turn, draw=self._chance.random())
        self._turns[asked] = turn + 1
        if len(self._turns) > TURNS_MOST:
            del self._turns[next(iter(self._turns))]
        if route.strategy != "exact":
            log.info("order.routed", account=route.account_id, reason=route.reason)
        return route
