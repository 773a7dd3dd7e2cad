"""The wall clocks of a world: the broker's and ours, each wrong by as much as a schedule says."""

import asyncio

from tests.virtual import EPOCH_S


class Clocks:
    """Loop time never jumps; these may."""

    def __init__(self) -> None:
        self.broker_ahead_s = 0.0
        self.daemon_ahead_s = 0.0

    def now(self) -> float:
        """Epoch seconds by a clock that is right."""
        return EPOCH_S + asyncio.get_running_loop().time()

    def daemon(self) -> float:
        """Epoch seconds as the daemon's machine has it."""
        return self.now() + self.daemon_ahead_s

    def broker_ns(self) -> int:
        """Epoch nanoseconds as the broker has it."""
        return round((self.now() + self.broker_ahead_s) * 1_000_000) * 1000
