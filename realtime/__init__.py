"""The live state of many Alpaca accounts in one process."""

__version__ = "0.1.0"
