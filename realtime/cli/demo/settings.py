"""The demo's settings, made in memory: no file is written, so none is left behind."""

from collections.abc import Sequence
from pathlib import Path

from realtime.config.settings import AccountSettings, ServerSettings, Settings
from realtime.secret import Credentials, Secret
from realtime.simulator.account_presets import tier_name
from realtime.simulator.credentials import key_id_for, secret_for
from realtime.simulator.exchange.engine import AccountSpec


def settings_for(specs: Sequence[AccountSpec], trading_url: str, port: int) -> Settings:
    """Follow these accounts of a simulator, and serve readers on a port."""
    return Settings(
        path=Path("demo"),
        server=ServerSettings(port=port),
        accounts=tuple(_account(spec, trading_url) for spec in specs),
    )


def _account(spec: AccountSpec, trading_url: str) -> AccountSettings:
    return AccountSettings(
        label=spec.label,
        name=spec.label.replace("_", " ").capitalize(),
        tier=tier_name(spec),
        initial_balance=format(spec.cash, "f"),
        account_number=spec.account_number,
        trading_url=trading_url,
        credentials=Credentials(
            Secret(key_id_for(spec.label)), Secret(secret_for(spec.label)), "demo"
        ),
    )
