"""What handlers of market data work with."""

from collections.abc import Callable
from typing import NamedTuple

from realtime.simulator.exchange.engine import Exchange
from realtime.simulator.exchange.venue.assets import Asset
from realtime.simulator.market.history import History
from realtime.simulator.market.rest.corporate_actions import CorporateActions
from realtime.simulator.market.rest.news import NewsArchive
from realtime.simulator.market.settings import MarketDataSettings, Plan
from realtime.simulator.market.tape import Tape


class Sources(NamedTuple):
    """Everything that market data comes from."""

    exchange: Exchange
    tape: Tape
    history: History
    news: NewsArchive
    corporate_actions: CorporateActions
    settings: MarketDataSettings
    clock: Callable[[], int]

    def find(self, symbol: str, asset_class: str) -> Asset | None:
        """Return the asset of a symbol as it is known on the market-data API, or None."""
        asset = self.exchange.listing.by_symbol.get(symbol)
        return asset if asset is not None and asset.asset_class == asset_class else None


class DataRequest(NamedTuple):
    """One parsed request; `label` is None where no key was sent (crypto)."""

    sources: Sources
    label: str | None
    path_params: dict[str, str]
    query: dict[str, str]

    @property
    def plan(self) -> Plan:
        """The plan of the caller."""
        return self.sources.settings.plan_of(self.label)

    @property
    def now(self) -> int:
        """The current time in epoch nanoseconds."""
        return self.sources.clock()
