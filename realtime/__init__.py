"""The live state of many Alpaca accounts in one process."""

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from realtime.accounts import Accounts as Accounts
else:

    def __getattr__(name: str) -> object:
        """`realtime.Accounts`, imported when it is asked for: `import realtime` stays cheap."""
        if name == "Accounts":
            from realtime.accounts import Accounts  # noqa: PLC0415 - as above

            return Accounts
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
