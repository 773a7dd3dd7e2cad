"""From what the configuration allows to what the guards of orders ask for."""

from msgspec import structs

from realtime.config.settings import AccountSettings, OrderLimits, OrdersSettings
from realtime.orders.principal import Limits
from realtime.orders.risk import AccountRiskRules, RiskRules


def rules_of(orders: OrdersSettings) -> RiskRules:
    """What holds for every account."""
    return RiskRules(
        enabled=orders.enabled,
        live=orders.live,
        limits=_limits(orders.limits),
        users={name: _limits(limits) for name, limits in orders.users.items()},
    )


def permit_of(account: AccountSettings) -> AccountRiskRules:
    """What holds for one."""
    return AccountRiskRules(
        label=account.label, paper=account.paper, limits=_limits(account.orders)
    )


def _limits(limits: OrderLimits) -> Limits:
    return Limits(**structs.asdict(limits))
