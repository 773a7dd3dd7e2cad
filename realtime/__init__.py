"""The live state of many Alpaca accounts in one process."""

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from realtime.accounts import Accounts as Accounts
    from realtime.orders.errors import Declined as Declined
    from realtime.orders.errors import Unresolved as Unresolved
    from realtime.orders.results import Placed as Placed
else:
    _PLACES = {
        "Accounts": "realtime.accounts",
        "Declined": "realtime.orders.errors",
        "Placed": "realtime.orders.results",
        "Unresolved": "realtime.orders.errors",
    }

    def __getattr__(name: str) -> object:
        """The library's names, imported when they are asked for: `import realtime` stays cheap."""
        if name in _PLACES:
            return getattr(importlib.import_module(_PLACES[name]), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
