"""Which account an order goes to: exactly the one that is named, or one of several by a strategy.

`choose` is pure: what is known of the accounts is passed in, the choice and its reason are
returned. The turn of round robin is the only thing remembered between two choices; `Router` keeps
it.
"""

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Protocol

from msgspec import UNSET, Struct, structs

from realtime.auth.principal import Principal
from realtime.core.model import Account
from realtime.orders.errors import Declined
from realtime.orders.order_client import OrderClient
from realtime.orders.order_request import Strategy
from realtime.orders.risk import RiskChecks
from realtime.telemetry.log import get_logger

log = get_logger()

MAX_TURNS = 1000
"""Combinations of strategy, tier and labels whose turn is remembered."""

ACTIVE = "ACTIVE"
BLOCKING_FLAGS = ("trading_blocked", "account_blocked", "trade_suspended_by_user")


class Candidate(Struct, frozen=True, kw_only=True):
    """What routing knows of an account."""

    label: str
    tier: str | None = None
    is_enabled: bool = True
    """Whether it trades at all: enabled, and allowed to by the configuration."""
    is_synced: bool = True
    restriction: str | None = None
    """Why the broker accepts no order from it; see `find_restriction`."""
    open_orders: int = 0
    in_flight: int = 0

    @property
    def load(self) -> int:
        """Orders that it has open or in flight."""
        return self.open_orders + self.in_flight


GetCandidates = Callable[[str | None], Sequence[Candidate]]
"""Returns one account as routing sees it; with None all of them, in the configuration's order."""


class RoutingRequest(Protocol):
    """The fields of a request that choose an account."""

    @property
    def account_id(self) -> str | None: ...
    @property
    def routing_key(self) -> str | None: ...
    @property
    def strategy(self) -> Strategy | None: ...
    @property
    def tier(self) -> str | None: ...
    @property
    def labels(self) -> tuple[str, ...] | None: ...
    @property
    def force(self) -> bool | None: ...


class RoutingDecision(Struct, frozen=True, kw_only=True):
    """The account that was chosen, and why."""

    account_id: str
    strategy: str
    among: int
    """How many it was chosen from."""

    @property
    def reason(self) -> str:
        """For people: `hash among 5`, or `exact`, `only`, `remembered` where nothing was chosen."""
        return self.strategy if self.among == 1 else f"{self.strategy} among {self.among}"


def find_restriction(account: Account | None) -> str | None:
    """Return why the broker accepts no order from an account, or None as far as is known."""
    if account is None:
        return None
    for flag in BLOCKING_FLAGS:
        if getattr(account, flag) not in (None, UNSET, False):
            return flag
    if account.status is not None and account.status != ACTIVE:
        return f"status {account.status}"
    return None


def choose(
    request: RoutingRequest,
    candidates: Sequence[Candidate],
    principal: Principal,
    *,
    turn: int,
    draw: float,
) -> RoutingDecision:
    """Choose. `turn` counts choices so far, `draw` is uniform in [0, 1). Raises `Declined`."""
    if request.account_id is not None:
        return _choose_exact(request, candidates, principal)
    fit = [c for c in candidates if principal.can_see(c.label) and _fits(request, c)]
    usable = [
        c for c in fit if c.is_enabled and c.restriction is None and (c.is_synced or request.force)
    ]
    if not usable:
        raise Declined(
            "no_account",
            f"none of {len(fit)} fitting accounts is usable now"
            if fit
            else "no account fits tier and labels",
            remedy="see GET /realtime/status",
            retry_after_s=2.0 if fit else None,
        )
    if len(usable) == 1 and request.strategy is None and request.routing_key is None:
        return RoutingDecision(account_id=usable[0].label, strategy="only", among=1)
    strategy = request.strategy or ("hash" if request.routing_key is not None else None)
    if strategy is None:
        raise Declined(
            "account_required",
            f"{len(usable)} accounts fit this request",
            remedy="name one by account_id, or set a routing_key or a strategy",
        )
    return RoutingDecision(
        account_id=_choose_by(strategy, usable, request.routing_key, turn, draw).label,
        strategy=strategy,
        among=len(usable),
    )


def to_restricted(label: str, restriction: str) -> Declined:
    """Return the refusal of an order for an account that the broker has restricted."""
    return Declined(
        "account_restricted",
        f"the broker accepts no orders from {label}: {restriction}",
        remedy="see the account at the broker; canceling and closing are still tried",
        guard="restricted",
    )


def _choose_exact(
    request: RoutingRequest, candidates: Sequence[Candidate], principal: Principal
) -> RoutingDecision:
    candidate = next((c for c in candidates if c.label == request.account_id), None)
    if candidate is None or not principal.can_see(candidate.label):
        raise Declined("unknown_account", f"no account '{(request.account_id or '')[:64]}'")
    if not _fits(request, candidate):
        raise Declined("no_account", f"account {candidate.label} does not fit tier or labels")
    if not candidate.is_synced and not request.force:
        raise Declined(
            "account_not_synced",
            f"account {candidate.label} is not synced: what it holds now is not known for sure",
            remedy="retry when it is synced, or set force",
            retry_after_s=2.0,
        )
    return RoutingDecision(account_id=candidate.label, strategy="exact", among=1)


def _fits(request: RoutingRequest, candidate: Candidate) -> bool:
    return (request.tier is None or candidate.tier == request.tier) and (
        not request.labels or candidate.label in request.labels
    )


def _choose_by(
    strategy: Strategy, usable: Sequence[Candidate], key: str | None, turn: int, draw: float
) -> Candidate:
    match strategy:
        case "round_robin":
            return usable[turn % len(usable)]
        case "random":
            return usable[min(int(draw * len(usable)), len(usable) - 1)]
        case "least_loaded":
            least = min(c.load for c in usable)
            idle = [c for c in usable if c.load == least]
            return idle[turn % len(idle)]
        case "hash":
            if key is None:
                raise Declined(
                    "account_required",
                    "strategy hash needs a routing_key",
                    remedy="set the key whose requests belong together",
                )
            return max(usable, key=lambda c: _get_weight(key, c.label))


def _get_weight(key: str, label: str) -> bytes:
    """Rendezvous hashing: the account of the highest weight has the key, so that only the keys of
    an account that leaves move, each to its own second choice."""
    # A zero byte is in neither: labels are plain words, and it separates "a"+"bc" from "ab"+"c".
    return blake2b(f"{label}\0{key}".encode(), digest_size=16).digest()


class Router:
    """Chooses accounts, with what it needs: the accounts as they are now, and whose turn it is."""

    def __init__(
        self,
        order_clients: Mapping[str, OrderClient],
        risk_checks: RiskChecks,
        get_candidates: GetCandidates,
        rng: random.Random,
    ) -> None:
        self._order_clients = order_clients
        self._risk_checks = risk_checks
        self._get_candidates = get_candidates
        self._rng = rng
        self._turns: dict[object, int] = {}
        """what was requested → how often; the one that was not used for longest is first"""
        self.decisions: Counter[tuple[str, str]] = Counter()
        """(strategy, account) → how often it was chosen, for orders and reads"""

    def get_candidates(self, only: str | None = None) -> list[Candidate]:
        """Return all accounts, or one of them, as routing sees them."""
        return [self._complete(candidate) for candidate in self._get_candidates(only)]

    def _complete(self, candidate: Candidate) -> Candidate:
        order_client = self._order_clients.get(candidate.label)
        return structs.replace(
            candidate,
            is_enabled=order_client is not None
            and self._risk_checks.find_disabled(candidate.label) is None,
            in_flight=0 if order_client is None else order_client.in_flight,
        )

    def route(self, request: RoutingRequest, principal: Principal) -> RoutingDecision:
        """Choose the account of an order. Raises `Declined`."""
        candidates = self.get_candidates(request.account_id)
        decision = self.choose(request, candidates, principal)
        if decision.strategy != "exact":
            log.info("order.routed", account=decision.account_id, reason=decision.reason)
        return decision

    def choose(
        self, request: RoutingRequest, candidates: Sequence[Candidate], principal: Principal
    ) -> RoutingDecision:
        """Choose among candidates, and count the turn. Raises `Declined`."""
        # Each combination has its own turns: two that alternate must not share them, or each would
        # only ever use every other account.
        combination = (request.strategy, request.tier, request.labels, principal.accounts)
        turn = self._turns.pop(combination, 0)
        decision = choose(request, candidates, principal, turn=turn, draw=self._rng.random())
        self._turns[combination] = turn + 1
        self.decisions[decision.strategy, decision.account_id] += 1
        if len(self._turns) > MAX_TURNS:
            del self._turns[next(iter(self._turns))]
        return decision

    def check_restriction(self, label: str) -> None:
        """Raise `Declined` if the broker accepts no order from an account."""
        for candidate in self._get_candidates(label):
            if candidate.restriction is not None:
                raise to_restricted(label, candidate.restriction)
