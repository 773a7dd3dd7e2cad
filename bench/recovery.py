"""The broker gone for a while, and back: how long until all accounts are synced."""

import json
import time
import tomllib
from itertools import pairwise
from pathlib import Path

from msgspec import Struct

from bench.children import free_port, post, wait_for
from bench.events import daemon
from bench.starting import simulator

CHECK_INTERVAL_S = 1.0
TIMEOUT_S = 120.0


class Recovery(Struct):
    """The course of an outage."""

    accounts: int
    gone_s: float
    synced_s: float
    """From the broker's return until the last account is synced."""
    max_attempts: int
    """Attempts to connect in the busiest second, while it was gone and after."""


def measure(accounts: int, gone_s: float) -> Recovery:
    """Take the simulator down for a time."""
    http = free_port()
    with simulator(accounts) as config, daemon(config, port=http):
        control = f"{_broker(config)}/_sim"
        attempts = [_attempts(control)]
        post(f"{control}/faults", {"kind": "maintenance", "for_s": gone_s})
        back_at = time.monotonic() + gone_s
        while time.monotonic() < back_at or _count_synced(http) < accounts:
            if time.monotonic() > back_at + TIMEOUT_S:
                raise TimeoutError(
                    f"{_count_synced(http)} of {accounts} synced {TIMEOUT_S:.0f} s later"
                )
            time.sleep(CHECK_INTERVAL_S)
            attempts.append(_attempts(control))
        synced_s = time.monotonic() - back_at
    busiest = max(after - before for before, after in pairwise(attempts))
    return Recovery(accounts, gone_s, synced_s, busiest)


def lines(seen: Recovery) -> list[str]:
    """The result as Markdown."""
    return [
        f"* broker gone for {seen.gone_s:.0f} s: all {seen.accounts} accounts synced"
        f" {seen.synced_s:.0f} s after it is back; in the busiest second"
        f" {seen.max_attempts} attempts to connect"
    ]


def _broker(config: Path) -> str:
    accounts = tomllib.loads(config.read_text())["accounts"]
    return str(next(iter(accounts.values()))["trading_url"])


def _attempts(control: str) -> int:
    return int(json.loads(wait_for(control))["counts"]["handshakes"])


def _count_synced(http: int) -> int:
    summary = json.loads(wait_for(f"http://127.0.0.1:{http}/realtime/summary"))
    return int(summary["synced"])


if __name__ == "__main__":
    print("\n".join(lines(measure(1000, 30))))
