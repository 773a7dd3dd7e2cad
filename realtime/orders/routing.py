"""Which account takes an order: exactly the one that is named, or one of several by a strategy.

Pure: what is known of the accounts comes in, the choice and its reason come out. The place of round
robin is the only thing remembered between two choices, and the caller keeps it.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Protocol

from msgspec import Struct

from realtime.orders.errors import Declined
from realtime.orders.order_request import Strategy
from realtime.orders.principal import Principal


class Candidate(Struct, frozen=True, kw_only=True):
    """What routing may know of an account."""

    label: str
    tier: str | None = None
    is_enabled: bool = True
    """Whether it trades at all: enabled, and allowed to by the configuration."""
    is_synced: bool = True
    open_orders: int = 0
    in_flight: int = 0

    @property
    def load(self) -> int:
        """Orders that it is busy with."""
        return self.open_orders + self.in_flight


class RoutingRequest(Protocol):
    """The words of a request that choose an account."""

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
    def force(self) -> bool: ...


class RoutingDecision(Struct, frozen=True, kw_only=True):
    """The account that was taken, and why."""

    account_id: str
    strategy: str
    among: int
    """How many it was chosen from."""

    @property
    def reason(self) -> str:
        """For people: `hash among 5`, or `exact`, `only`, `remembered` where nothing was chosen."""
        return self.strategy if self.among == 1 else f"{self.strategy} among {self.among}"


def choose(
    wish: RoutingRequest,
    candidates: Sequence[Candidate],
    principal: Principal,
    *,
    turn: int,
    draw: float,
) -> RoutingDecision:
    """Choose. `turn` counts choices so far, `draw` is uniform in [0, 1). Raises `Declined`."""
    if wish.account_id is not None:
        return _exact(wish, candidates, principal)
    fit = [c for c in candidates if principal.may_use(c.label) and _is_asked(wish, c)]
    usable = [c for c in fit if c.is_enabled and (c.is_synced or wish.force)]
    if not usable:
        raise Declined(
            "no_account",
            f"none of {len(fit)} fitting accounts can take orders now"
            if fit
            else "no account fits tier and labels",
            remedy="GET /realtime/status says how they stand",
            retry_after_s=2.0 if fit else None,
        )
    if len(usable) == 1 and wish.strategy is None and wish.routing_key is None:
        return RoutingDecision(account_id=usable[0].label, strategy="only", among=1)
    strategy = wish.strategy or ("hash" if wish.routing_key is not None else None)
    if strategy is None:
        raise Declined(
            "account_required",
            f"{len(usable)} accounts could take this order",
            remedy="name one by account_id, or give a routing_key or a strategy",
        )
    return RoutingDecision(
        account_id=_by(strategy, usable, wish.routing_key, turn, draw).label,
        strategy=strategy,
        among=len(usable),
    )


def _exact(
    wish: RoutingRequest, candidates: Sequence[Candidate], principal: Principal
) -> RoutingDecision:
    found = next((c for c in candidates if c.label == wish.account_id), None)
    if found is None or not principal.may_use(found.label):
        raise Declined("unknown_account", f"no account '{(wish.account_id or '')[:64]}'")
    if not _is_asked(wish, found):
        raise Declined("no_account", f"account {found.label} does not fit tier or labels")
    if not found.is_synced and not wish.force:
        raise Declined(
            "account_not_synced",
            f"account {found.label} is not live: what it holds now is not known for sure",
            remedy="ask again when it is live, or say force",
            retry_after_s=2.0,
        )
    return RoutingDecision(account_id=found.label, strategy="exact", among=1)


def _is_asked(wish: RoutingRequest, candidate: Candidate) -> bool:
    return (wish.tier is None or candidate.tier == wish.tier) and (
        not wish.labels or candidate.label in wish.labels
    )


def _by(
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
                    remedy="give the key whose orders belong together",
                )
            return max(usable, key=lambda c: _weight(key, c.label))


def _weight(key: str, label: str) -> bytes:
    """Rendezvous hashing: the account of the highest weight has the key, so that only the keys of
    an account that leaves move, each to its own second choice."""
    # A zero byte is in neither: labels are plain words, and it parts "a"+"bc" from "ab"+"c".
    return blake2b(f"{label}\0{key}".encode(), digest_size=16).digest()
