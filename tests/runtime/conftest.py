"""The same simulator and files as for the commands."""

from tests.cli.conftest import config, sim

__all__ = ["config", "sim"]
