"""Accounts, keys and ports: read once, checked completely, then frozen.

`load` is the entry point. Files and environment are read nowhere else in the program.
"""

from realtime.config.loader import load
from realtime.config.settings import (
    LIVE_URL,
    PAPER_URL,
    AccountSettings,
    AlpacaSettings,
    ServerSettings,
    Settings,
    stream_url,
)
from realtime.secret import Credentials, Secret

__all__ = [
    "LIVE_URL",
    "PAPER_URL",
    "AccountSettings",
    "AlpacaSettings",
    "Credentials",
    "Secret",
    "ServerSettings",
    "Settings",
    "load",
    "stream_url",
]
