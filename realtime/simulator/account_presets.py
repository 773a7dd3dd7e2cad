"""Default accounts of a simulator, by count."""

from decimal import Decimal
from typing import NamedTuple

from realtime.simulator.exchange.engine import AccountSpec

NATO_ALPHABET = (
    "alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliett",
    "kilo", "lima", "mike", "november", "oscar", "papa", "quebec", "romeo", "sierra", "tango",
    "uniform", "victor", "whiskey", "xray", "yankee", "zulu",
)  # fmt: skip


class Tier(NamedTuple):
    """Cash and margin of a preset; `name` is the tier in `accounts.toml`."""

    name: str
    cash: Decimal
    multiplier: str
    shorting_enabled: bool


TIERS = (
    Tier("premium", Decimal(1_000_000), "4", True),
    Tier("standard", Decimal(100_000), "2", True),
    Tier("basic", Decimal(50_000), "2", True),
    Tier("cash", Decimal(50_000), "1", False),
)


def preset_label(index: int) -> str:
    """Return the label of the account at `index`, from 0: alpha … zulu, account_27, account_28 …"""
    return NATO_ALPHABET[index] if index < len(NATO_ALPHABET) else f"account_{index + 1}"


def account_specs(count: int) -> list[AccountSpec]:
    """Return `count` account specifications; tiers rotate."""
    return [_spec(index, TIERS[index % len(TIERS)]) for index in range(count)]


def tier_name(spec: AccountSpec) -> str:
    """Return the tier with the account's cash and multiplier, else `custom`."""
    for tier in TIERS:
        if (tier.cash, tier.multiplier) == (spec.cash, spec.multiplier):
            return tier.name
    return "custom"


def _spec(index: int, tier: Tier) -> AccountSpec:
    return AccountSpec(
        label=preset_label(index),
        account_number=f"PA0SIM{index + 1:06d}",
        cash=tier.cash,
        multiplier=tier.multiplier,
        shorting_enabled=tier.shorting_enabled,
    )
