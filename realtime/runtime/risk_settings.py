"""The `[orders]` settings as rules of the risk checks: `orders` does not know `config`."""

from msgspec import structs

from realtime.config.settings import AccountSettings, OrderLimits, OrdersSettings
from realtime.orders.risk import AccountRiskRules, Limits, RiskRules


def risk_rules(orders: OrdersSettings) -> RiskRules:
    """Return the rules for all accounts."""
    return RiskRules(
        enabled=orders.enabled,
        live=orders.live,
        limits=_limits(orders.limits),
        users={name: _limits(limits) for name, limits in orders.users.items()},
    )


def account_risk_rules(account: AccountSettings) -> AccountRiskRules:
    """Return the rules for one account."""
    return AccountRiskRules(
        label=account.label, paper=account.paper, limits=_limits(account.orders)
    )


def _limits(limits: OrderLimits) -> Limits:
    return Limits(**structs.asdict(limits))
