"""The risk checks before money moves; each has a name, which its refusal contains.

enabled · live · halted · closing · side · symbol · notional · contracts · equity · rate
"""

from collections import deque
from collections.abc import Callable, Mapping
from decimal import Decimal

from msgspec import Struct

from realtime.auth.principal import Principal
from realtime.core.decimals import number, plain
from realtime.orders.errors import Declined
from realtime.orders.order_request import OrderRequest
from realtime.orders.symbols import DOLLARS, get_quote_currency, get_symbol_kind, is_among

MINUTE_S = 60.0
CONTRACT_SIZE = Decimal(100)
"""Shares of one option contract."""

PriceOf = Callable[[str], str | None]
"""symbol → its last known price, or None"""

EquityOf = Callable[[str], str | None]
"""label → the account's equity, or None while it is not known"""

AssetClassOf = Callable[[str], str | None]
"""symbol → the broker's asset class, or None where it is not known"""


class Limits(Struct, frozen=True, kw_only=True):
    """Caps of an account or of a user; None is no cap."""

    enabled: bool = True
    max_notional: str | None = None
    """Dollars that one order may be worth."""
    max_contracts: int | None = None
    """Option contracts of one order, its legs counted together."""
    max_equity_pct: str | None = None
    """What one order may be worth, in per cent of the account's equity."""
    max_orders_per_minute: int | None = None
    symbols: tuple[str, ...] | None = None
    """Only these; an option also counts as its underlying."""
    sides: tuple[str, ...] | None = None


NO_LIMITS = Limits()


class RiskRules(Struct, frozen=True, kw_only=True):
    """What the configuration allows."""

    enabled: bool = True
    live: bool = False
    """Also accounts with real money."""
    limits: Limits = Limits()
    """Of every account."""
    users: Mapping[str, Limits] = {}
    """User → limits over all accounts together."""


class AccountRiskRules(Struct, frozen=True, kw_only=True):
    """What the configuration allows for one account."""

    label: str
    paper: bool = True
    limits: Limits = Limits()


class _Departure(Struct, eq=False):
    """One order that counts for the caps per minute; `at` None: it waits, and counts until sent."""

    at: float | None = None


class RateReservation:
    """One order's place in the caps per minute, from its checks until it leaves."""

    def __init__(
        self,
        departure: _Departure,
        windows: list[deque[_Departure]],
        check: Callable[[float], None],
    ) -> None:
        self._departure = departure
        self._windows = windows
        self.check = check
        """Raises `Declined` if at this time more orders than a cap allows have left or wait, this
        one included: a cap was lowered, or another process sent orders."""

    def confirm(self, now: float) -> None:
        """Count the order from now on for a minute."""
        self._departure.at = now

    def cancel(self) -> None:
        """Free the place: the order never left."""
        for window in self._windows:
            window.remove(self._departure)


class RiskChecks:
    """All caps. Remembers only when orders left, for the caps per minute."""

    def __init__(
        self,
        rules: RiskRules,
        accounts: Mapping[str, AccountRiskRules],
        price_of: PriceOf,
        asset_class_of: AssetClassOf = lambda symbol: None,
        equity_of: EquityOf = lambda label: None,
    ) -> None:
        self._rules = rules
        self.accounts = accounts
        self._price_of = price_of
        self.asset_class_of = asset_class_of
        self._equity_of = equity_of
        self._windows: dict[str, deque[_Departure]] = {}
        """account or user → orders of the last minute, oldest first"""

    def find_disabled(self, label: str) -> Declined | None:
        """Return why an account does not trade at all, or None if it does."""
        account = self.accounts[label]
        if not self._rules.enabled:
            return _refusal("enabled", "trading is switched off", "set [orders] enabled = true")
        if not account.limits.enabled:
            remedy = f"set enabled = true in [accounts.{label}.orders]"
            return _refusal("enabled", f"trading is switched off for {label}", remedy)
        if not account.paper and not self._rules.live:
            remedy = "set [orders] live = true to trade real money through the daemon"
            return _refusal("live", f"account {label} holds real money", remedy)
        return None

    def check_may_trade(self, label: str, principal: Principal) -> None:
        """Raise `Declined` unless this principal may move money of this account."""
        if not principal.has_permission("trading"):
            raise Declined(
                "trading_not_permitted", f"{principal.user_id} lacks the permission `trading`"
            )
        if label not in self.accounts or not principal.can_see(label):
            raise Declined("unknown_account", f"no account '{label[:64]}'")
        if not self._get_user_limits(principal).enabled:
            raise _refusal(
                "enabled",
                f"trading is switched off for {principal.user_id}",
                f"set enabled = true in [orders.users.{principal.user_id}]",
            )
        if refusal := self.find_disabled(label):
            raise refusal

    def check(self, label: str, request: OrderRequest, principal: Principal) -> None:
        """Raise `Declined` if a cap on side, symbol or amount is exceeded. Counts nothing."""
        self.check_may_trade(label, principal)
        for _, limits in self._get_limits(label, principal):
            _check_side(request, limits)
            _check_symbols(request, limits)
            self._check_notional(request, limits)
            self._check_contracts(request, limits)
            self._check_equity(label, request, limits)

    def reserve(self, label: str, principal: Principal, *, now: float) -> RateReservation:
        """Take a place in the caps per minute. Raises `Declined` if one of them is reached."""
        departure = _Departure()
        windows = []
        for name, limits in self._get_limits(label, principal):
            if limits.max_orders_per_minute is not None:
                window = self._get_window(name, now)
                if len(window) >= limits.max_orders_per_minute:
                    raise _rate_refusal(window, limits.max_orders_per_minute, now)
                windows.append(window)
        for window in windows:
            window.append(departure)
        return RateReservation(
            departure, windows, lambda now: self._check_rate(label, principal, now)
        )

    def _check_rate(self, label: str, principal: Principal, now: float) -> None:
        for name, limits in self._get_limits(label, principal):
            cap = limits.max_orders_per_minute
            if cap is not None and len(window := self._get_window(name, now)) > cap:
                raise _rate_refusal(window, cap, now)

    def count(self, label: str, user_id: str, *, at: float) -> None:
        """Count an order that left earlier, or from another process, by the journal."""
        departure = _Departure(at)
        for name in (f"all:{label}", label, f"user:{user_id}"):
            self._get_window(name, at).append(departure)

    def _get_limits(self, label: str, principal: Principal) -> list[tuple[str, Limits]]:
        """Return every cap that applies, with the name under which its orders are counted.

        The general cap is one for each account, not one for all of them together.
        """
        return [
            (f"all:{label}", self._rules.limits),
            (label, self.accounts[label].limits),
            (f"user:{principal.user_id}", self._get_user_limits(principal)),
        ]

    def _get_user_limits(self, principal: Principal) -> Limits:
        return self._rules.users.get(principal.user_id, NO_LIMITS)

    def _get_window(self, name: str, now: float) -> deque[_Departure]:
        window = self._windows.setdefault(name, deque())
        while window and (at := window[0].at) is not None and at <= now - MINUTE_S:
            window.popleft()
        return window

    def _check_notional(self, request: OrderRequest, limits: Limits) -> None:
        if limits.max_notional is None:
            return
        notional = self._get_notional(request)
        if notional is None:
            raise _refusal(
                "notional",
                f"no price of {request.symbol or 'the legs'} is known to hold against the cap",
                "give a limit_price, or notional in place of qty",
            )
        if notional > number(limits.max_notional):
            raise _refusal(
                "notional",
                f"worth {plain(round(notional, 2))}, and the cap is {limits.max_notional}",
                "order less, or raise max_notional",
            )

    def _check_contracts(self, request: OrderRequest, limits: Limits) -> None:
        """The legs of a multi-leg order count with their ratios; a combination is not one."""
        if limits.max_contracts is None:
            return
        contracts = self._get_contracts(request)
        if contracts is None:
            raise _refusal(
                "contracts", "how many contracts it is cannot be known", "give qty, not notional"
            )
        if contracts > limits.max_contracts:
            raise _refusal(
                "contracts",
                f"{plain(contracts)} contracts, and the cap is {limits.max_contracts}",
                "order fewer, or raise max_contracts",
            )

    def _get_contracts(self, request: OrderRequest) -> Decimal | None:
        """Return the option contracts of an order; None if their number is not in it."""
        if request.order_class == "mleg":
            ratios = [
                Decimal(1) if leg.ratio_qty is None else leg.ratio_qty
                for leg in request.legs or ()
                if get_symbol_kind(leg.symbol, self.asset_class_of(leg.symbol)) == "option"
            ]
            return None if request.qty is None else request.qty * sum(ratios, Decimal())
        symbol = request.symbol or ""
        if get_symbol_kind(symbol, self.asset_class_of(symbol)) != "option":
            return Decimal()
        return request.qty

    def _check_equity(self, label: str, request: OrderRequest, limits: Limits) -> None:
        if limits.max_equity_pct is None:
            return
        equity = number(self._equity_of(label))
        if equity <= 0:
            raise _refusal(
                "equity", f"the equity of {label} is not known", "wait until it is synced"
            )
        notional = self._get_notional(request)
        if notional is None:
            raise _refusal(
                "equity",
                f"no price of {request.symbol or 'the legs'} is known to hold against the cap",
                "give a limit_price, or notional in place of qty",
            )
        share = notional / equity * 100
        if share > number(limits.max_equity_pct):
            raise _refusal(
                "equity",
                f"worth {plain(round(share, 2))} % of equity, "
                f"and the cap is {limits.max_equity_pct} %",
                "order less, or raise max_equity_pct",
            )

    def _get_notional(self, request: OrderRequest) -> Decimal | None:
        """Return the most that an order may come to; None if that cannot be known."""
        is_multileg = request.order_class == "mleg"
        symbol = request.symbol or ""
        kind = "mleg" if is_multileg else get_symbol_kind(symbol, self.asset_class_of(symbol))
        dollars = self._get_dollars(symbol) if kind in ("crypto", "unclear") else Decimal(1)
        if dollars is None:
            return None
        if request.notional is not None:
            return request.notional * dollars
        price = self._get_net_price(request) if is_multileg else self._get_worst_price(request)
        if price is None or request.qty is None:
            return None
        size = CONTRACT_SIZE if kind in ("option", "mleg") else 1
        return price * request.qty * size * dollars

    def _get_dollars(self, symbol: str) -> Decimal | None:
        """Return what one unit of the currency of a coin's price is worth; None if not known."""
        currency = get_quote_currency(symbol)
        if currency is None or currency in DOLLARS:
            return Decimal(1)
        return self._get_price(f"{currency}/USD")

    def _get_worst_price(self, request: OrderRequest) -> Decimal | None:
        """Return the limit of a purchase; any other order may fill at the market's price.

        Of an order where one cancels the other, either may be what fills.
        """
        named = [request.limit_price, request.stop_price]
        if request.order_class == "oco":
            profit, loss = request.take_profit, request.stop_loss
            named += [] if profit is None else [profit.limit_price]
            named += [] if loss is None else [loss.stop_price, loss.limit_price]
        elif request.side == "buy" and request.limit_price is not None:
            return request.limit_price if request.limit_price > 0 else None
        price = None if request.symbol is None else self._get_price(request.symbol)
        return None if price is None else max(price, *(other or price for other in named))

    def _get_net_price(self, request: OrderRequest) -> Decimal | None:
        """Return the net price to be paid; for a credit, which has no bound, the sum of the legs'
        prices."""
        if request.limit_price is not None and request.limit_price > 0:
            return request.limit_price
        total = Decimal()
        for leg in request.legs or ():
            price = self._get_price(leg.symbol)
            if price is None:
                return None
            total += price * (1 if leg.ratio_qty is None else leg.ratio_qty)
        return total or None

    def _get_price(self, symbol: str) -> Decimal | None:
        """Return the last known price; None if there is none, or it is no price (0, NaN)."""
        price = number(self._price_of(symbol))
        return price if price > 0 else None


def _check_side(request: OrderRequest, limits: Limits) -> None:
    if limits.sides is None:
        return
    sides = {request.side} if request.side else set()
    for leg in request.legs or ():
        sides.add(leg.side or ("buy" if (leg.position_intent or "").startswith("buy") else "sell"))
    if sides - set(limits.sides):
        allowed = ", ".join(limits.sides)
        raise _refusal("side", f"only {allowed} is allowed", "change [orders] sides")


def _check_symbols(request: OrderRequest, limits: Limits) -> None:
    if limits.symbols is None:
        return
    symbols = [request.symbol] if request.symbol else [leg.symbol for leg in request.legs or ()]
    for symbol in symbols:
        if not is_among(symbol, limits.symbols):
            raise _refusal(
                "symbol", f"{symbol} is not among the symbols allowed", "see [orders] symbols"
            )


def _rate_refusal(window: deque[_Departure], cap: int, now: float) -> Declined:
    refusal = _refusal("rate", f"{cap} orders a minute are allowed", "retry after Retry-After")
    # The oldest order may still wait: then it counts for a minute from when it leaves.
    oldest = next((departure.at for departure in window if departure.at is not None), now)
    refusal.retry_after_s = oldest + MINUTE_S - now
    return refusal


def _refusal(guard: str, message: str, remedy: str) -> Declined:
    code = "trading_disabled" if guard in ("enabled", "live") else f"guard_{guard}"
    return Declined(code, message, remedy=remedy, guard=guard)
