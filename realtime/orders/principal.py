"""Who asks, and what they may: the one place where permission comes in."""

from msgspec import Struct


class Limits(Struct, frozen=True, kw_only=True):
    """Caps of an account, or of whoever asks; None is no cap."""

    enabled: bool = True
    max_notional: str | None = None
    """Dollars that one order may be worth."""
    max_orders_per_minute: int | None = None
    symbols: tuple[str, ...] | None = None
    """Only these; an option also counts as its underlying."""
    sides: tuple[str, ...] | None = None


class Principal(Struct, frozen=True, kw_only=True):
    """Whoever asks: a person, a program, a token."""

    name: str = "anonymous"
    may_trade: bool = True
    accounts: frozenset[str] | None = None
    """Labels they may see and trade; None is all."""

    def may_use(self, account_id: str) -> bool:
        """Whether they may see and trade this account."""
        return self.accounts is None or account_id in self.accounts


ANYONE = Principal()
"""Who is not asked for a name: everybody on this machine."""
