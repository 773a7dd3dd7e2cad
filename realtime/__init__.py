"""The current state of many Alpaca accounts in one process.

Public: the names below (see `realtime.accounts`), the HTTP interface, the commands and their exit
codes, log events and metrics. Everything else may change.
"""

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from realtime.accounts import Accounts as Accounts
    from realtime.accounts import NotOpen as NotOpen
    from realtime.errors import RealtimeError as RealtimeError
    from realtime.market_data import MarketData as MarketData
    from realtime.orders.errors import Declined as Declined
    from realtime.orders.errors import Unresolved as Unresolved
    from realtime.orders.results import Placed as Placed
else:
    _MODULES = {
        "Accounts": "realtime.accounts",
        "Declined": "realtime.orders.errors",
        "MarketData": "realtime.market_data",
        "NotOpen": "realtime.accounts",
        "Placed": "realtime.orders.results",
        "RealtimeError": "realtime.errors",
        "Unresolved": "realtime.orders.errors",
    }

    def __getattr__(name: str) -> object:
        """Import a public name on first use: `import realtime` stays cheap."""
        if name in _MODULES:
            return getattr(importlib.import_module(_MODULES[name]), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
