"""The guards that stand before money moves; each has a name, which its refusal tells.

enabled · live · halted · closing · side · symbol · notional · rate
"""

from collections import deque
from collections.abc import Callable, Mapping
from decimal import Decimal

from msgspec import Struct

from realtime.core.decimals import number, plain
from realtime.orders.errors import Declined
from realtime.orders.order_request import OrderRequest
from realtime.orders.principal import Limits, Principal
from realtime.orders.validation import asset_kind, underlying

MINUTE_S = 60.0
NO_LIMITS = Limits()
OPTION_SHARES = Decimal(100)
"""Shares that one contract is about."""

PriceOf = Callable[[str], str | None]
"""symbol → its last known price, or None"""


class RiskRules(Struct, frozen=True, kw_only=True):
    """What the configuration allows."""

    enabled: bool = True
    live: bool = False
    """Also accounts with real money."""
    limits: Limits = Limits()
    """Of every account."""
    users: Mapping[str, Limits] = {}
    """Who asks → their own, on all accounts together."""


class AccountRiskRules(Struct, frozen=True, kw_only=True):
    """What the configuration says of one account."""

    label: str
    paper: bool = True
    limits: Limits = Limits()


class RiskChecks:
    """All guards. Remembers only when orders went, for the caps per minute."""

    def __init__(
        self, rules: RiskRules, permits: Mapping[str, AccountRiskRules], price_of: PriceOf
    ) -> None:
        self._rules = rules
        self._permits = permits
        self._price_of = price_of
        self._went: dict[str, deque[float]] = {}
        """whose → when their orders of the last minute went"""

    def why_disabled(self, label: str) -> Declined | None:
        """Why an account does not trade at all, or None if it does."""
        permit = self._permits[label]
        if not self._rules.enabled:
            return _no("enabled", "trading is switched off", "set [orders] enabled = true")
        if not permit.limits.enabled:
            remedy = f"set enabled = true in [accounts.{label}.orders]"
            return _no("enabled", f"trading is switched off for {label}", remedy)
        if not permit.paper and not self._rules.live:
            remedy = "set [orders] live = true to trade real money through the daemon"
            return _no("live", f"account {label} holds real money", remedy)
        return None

    def check_may_trade(self, label: str, principal: Principal) -> None:
        """Raise `Declined` unless they may move money of this account."""
        if not principal.may_trade:
            raise Declined("trading_not_permitted", f"{principal.name} may read, not trade")
        if label not in self._permits or not principal.may_use(label):
            raise Declined("unknown_account", f"no account '{label[:64]}'")
        if not self._of(principal).enabled:
            raise _no(
                "enabled",
                f"trading is switched off for {principal.name}",
                f"set enabled = true in [orders.users.{principal.name}]",
            )
        if refused := self.why_disabled(label):
            raise refused

    def check(self, label: str, ticket: OrderRequest, principal: Principal, *, now: float) -> None:
        """Raise `Declined` by the first guard that objects; count the order if none does."""
        self.check_may_trade(label, principal)
        sources = [
            ("", self._rules.limits),
            (label, self._permits[label].limits),
            (f"user:{principal.name}", self._of(principal)),
        ]
        for _, limits in sources:
            _check_side(ticket, limits)
            _check_symbols(ticket, limits)
            self._check_notional(ticket, limits)
        counted = []
        for whose, limits in sources:
            # The general cap is one for each account, not one for all of them together.
            name = whose or f"all:{label}"
            if limits.max_orders_per_minute is not None:
                counted.append(self._room(name, limits.max_orders_per_minute, now))
        for went in counted:
            went.append(now)

    def _of(self, principal: Principal) -> Limits:
        return self._rules.users.get(principal.name, NO_LIMITS)

    def _check_notional(self, ticket: OrderRequest, limits: Limits) -> None:
        if limits.max_notional is None:
            return
        worth = self._worth(ticket)
        if worth is None:
            raise _no(
                "notional",
                f"no price of {ticket.symbol or 'the legs'} is known to hold against the cap",
                "give a limit_price, or notional in place of qty",
            )
        if worth > number(limits.max_notional):
            raise _no(
                "notional",
                f"worth {plain(round(worth, 2))}, and one order may be worth {limits.max_notional}",
                "order less, or raise max_notional",
            )

    def _worth(self, ticket: OrderRequest) -> Decimal | None:
        """What it may come to at the most, as far as that can be told; None if it cannot."""
        if ticket.notional is not None:
            return ticket.notional
        kind = asset_kind(ticket)
        price = self._of_legs(ticket) if kind == "mleg" else self._at_worst(ticket)
        if price is None or ticket.qty is None:
            return None
        return price * ticket.qty * (OPTION_SHARES if kind in ("option", "mleg") else 1)

    def _at_worst(self, ticket: OrderRequest) -> Decimal | None:
        """The limit of a purchase; everything else may fill at the market's price."""
        if ticket.side == "buy" and ticket.limit_price is not None:
            return ticket.limit_price
        known = None if ticket.symbol is None else self._price_of(ticket.symbol)
        if known is None:
            return None
        return max(filter(None, (number(known), ticket.limit_price, ticket.stop_price)))

    def _of_legs(self, ticket: OrderRequest) -> Decimal | None:
        """The net price to be paid; for a credit, which has no bound, all legs' prices together."""
        if ticket.limit_price is not None and ticket.limit_price > 0:
            return ticket.limit_price
        known = [(self._price_of(leg.symbol), leg.ratio_qty) for leg in ticket.legs or ()]
        if not known or any(price is None for price, _ in known):
            return None
        return sum((number(price) * ratio for price, ratio in known if price), Decimal())

    def _room(self, whose: str, most: int, now: float) -> deque[float]:
        went = self._went.setdefault(whose, deque())
        while went and went[0] <= now - MINUTE_S:
            went.popleft()
        if len(went) >= most:
            refused = _no("rate", f"{most} orders a minute are allowed", "ask again later")
            refused.retry_after_s = went[0] + MINUTE_S - now
            raise refused
        return went


def _check_side(ticket: OrderRequest, limits: Limits) -> None:
    if limits.sides is None:
        return
    sides = {ticket.side} if ticket.side else set()
    for leg in ticket.legs or ():
        sides.add(leg.side or ("buy" if (leg.position_intent or "").startswith("buy") else "sell"))
    if sides - set(limits.sides):
        raise _no("side", f"only {', '.join(limits.sides)} is allowed", "change [orders] sides")


def _check_symbols(ticket: OrderRequest, limits: Limits) -> None:
    if limits.symbols is None:
        return
    symbols = [ticket.symbol] if ticket.symbol else [leg.symbol for leg in ticket.legs or ()]
    for symbol in symbols:
        if symbol not in limits.symbols and underlying(symbol) not in limits.symbols:
            raise _no(
                "symbol", f"{symbol} is not among the symbols allowed", "see [orders] symbols"
            )


def _no(guard: str, message: str, remedy: str) -> Declined:
    code = "trading_disabled" if guard in ("enabled", "live") else f"guard_{guard}"
    return Declined(code, message, remedy=remedy, guard=guard)
