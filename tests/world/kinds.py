"""Everything that can happen in a world: its word, how often it is drawn, with which details.

`blind_s` is how long, because of it, an event may be missing from answers that carry no mark. That
is the promise the readers are given (`docs/reliability.md`), so every figure has its reason.
"""

from collections.abc import Callable
from random import Random
from typing import NamedTuple

Value = float | int | str | bool | None
Details = dict[str, Value]

COMPARISON_S = 100.0
"""A comparison every 60 s ± 25 %, 10 s between two, and the reading itself: what no other check can
notice. In fleets of up to 200 accounts."""

DEAD_PATH_S = 33.0
"""Ping every 10 s, pong within 20 s, then the mark; and slow pings."""


class Kind(NamedTuple):
    """One kind of act."""

    word: str
    weight: float
    draw: Callable[[Random], Details]
    blind_s: Callable[[Details], float] = lambda _: 0.0
    for_all: bool = False
    """Whether it concerns all accounts together."""


def _fixed(blind_s: float) -> Callable[[Details], float]:
    return lambda _: blind_s


def _by(name: str, factor: float = 1.0, more: float = 0.0) -> Callable[[Details], float]:
    return lambda details: factor * float(details[name] or 0) + more


def _for(rng: Random, most: float = 12.0) -> Details:
    return {"for_s": round(rng.uniform(0.5, most), 1)}


def _count(rng: Random, most: int = 3) -> Details:
    return {"count": rng.randint(1, most)}


def _way(rng: Random) -> Details:
    return {"way": rng.choice(("stream", "stream", "rest"))}


def _when_instead(details: Details) -> float:
    return COMPARISON_S if details["instead"] else 0.0


SIMULATED: tuple[Kind, ...] = (
    Kind("cut", 8, lambda c: {"clean": c.random() < 0.4, "code": c.choice((1000, 1001, 1012))}),
    Kind("error_frame", 1, lambda c: {"close": c.random() < 0.5}),
    Kind("second_connection", 1, lambda c: {"mode": c.choice(("both", "evict-oldest"))} | _for(c)),
    Kind("refuse_handshake", 2, lambda c: {"status": c.choice((429, 404, 502))} | _for(c, 9)),
    Kind("auth_silent", 2, lambda c: _count(c, 2)),
    Kind("listen_silent", 2, lambda c: {"events": c.random() < 0.5} | _count(c, 2)),
    Kind(
        "deaf",
        3,
        lambda c: {
            "after_s": round(c.uniform(0, 5), 1),
            "after_events": c.randint(0, 5),
            "count": 1,
        },
        _fixed(COMPARISON_S),
    ),
    Kind("text_frames", 0.5, _for),
    Kind("maintenance", 2, _for),
    Kind(
        "key_revoked", 0.7, lambda c: {"cut": c.random() < 0.5, "for_s": round(c.uniform(5, 30), 1)}
    ),
    Kind(
        "drop",
        4,
        lambda c: (
            {"event": c.choice((None, "new", "fill", "partial_fill", "canceled", "replaced"))}
            | _count(c, 4)
        ),
        _fixed(COMPARISON_S),
    ),
    Kind(
        "duplicate",
        3,
        lambda c: {"times": c.randint(1, 3), "after_s": c.choice((0.0, 0.5, 6.0))} | _for(c),
    ),
    Kind(
        "delay",
        3,
        lambda c: {"seconds": round(c.uniform(0.2, 8), 1), "every": c.randint(1, 3)} | _for(c),
        _by("seconds"),
    ),
    Kind(
        "reorder",
        4,
        lambda c: {"window": c.randint(2, 6), "within_s": round(c.uniform(0.5, 4), 1)} | _for(c),
        _by("within_s"),
    ),
    Kind("duplicate_on_reconnect", 2, lambda c: {"events": c.randint(1, 20)} | _count(c, 3)),
    Kind("unknown_event", 1, _count),
    Kind("unknown_status", 1, _count, _fixed(COMPARISON_S)),
    Kind("null_data", 1, lambda c: {"instead": c.random() < 0.3} | _count(c), _when_instead),
    Kind("missing_fields", 1, _for),
    Kind(
        "garbage",
        2,
        lambda c: (
            {
                "instead": c.random() < 0.5,
                "form": c.choice(("noise", "truncated", "array", "number", "empty", "not_utf8")),
            }
            | _count(c)
        ),
        _when_instead,
    ),
    Kind("rate_limited", 2, lambda c: {"headers": c.random() < 0.5} | _count(c, 4)),
    Kind("unauthorized", 0.3, lambda c: _count(c, 1)),
    Kind("server_error", 3, lambda c: {"status": c.choice((500, 502, 503, 504))} | _for(c, 8)),
    Kind(
        "latency", 3, lambda c: {"seconds": round(c.uniform(0.2, 13), 1), "jitter_s": 1.0} | _for(c)
    ),
    Kind("no_answer", 2, lambda c: _count(c, 2)),
    Kind("lagging_positions", 4, lambda c: {"seconds": round(c.uniform(1, 9.5), 1)} | _for(c, 25)),
    Kind("lagging_activities", 3, lambda c: {"seconds": round(c.uniform(1, 8), 1)} | _for(c, 25)),
    Kind(
        "stale_orders",
        3,
        lambda c: {"seconds": round(c.uniform(1, 9.5), 1)} | _for(c, 25),
        _fixed(COMPARISON_S),
    ),
)
"""The simulator's own faults, by the words of `/_sim/faults`."""

NET: tuple[Kind, ...] = (
    Kind("net.cut", 4, _way),
    Kind("net.cut_after", 4, lambda c: _way(c) | {"bytes": c.choice((1, 60, 900, 5000, 30000))}),
    Kind("net.hole", 3, _way, _fixed(DEAD_PATH_S)),
    Kind(
        "net.stall",
        4,
        lambda c: _way(c) | {"for_s": round(c.choice((0.4, 3, 9, 25, 40)) * c.uniform(0.5, 1), 1)},
        lambda d: min(float(d["for_s"] or 0), DEAD_PATH_S),
    ),
    Kind(
        "net.slow",
        3,
        lambda c: _way(c) | {"delay_s": round(c.uniform(0.05, 2), 2)} | _for(c),
        _by("delay_s", 2),
    ),
    Kind("net.dribble", 2, lambda c: _way(c) | _for(c)),
    Kind("net.refuse", 2, lambda c: _way(c) | _for(c)),
    Kind("net.dark", 2, lambda c: _way(c) | _for(c, 25)),
)
"""What happens between the two programs."""

HOST: tuple[Kind, ...] = (
    Kind(
        "daemon.restart",
        3,
        lambda c: {"kill": c.random() < 0.5, "down_s": round(c.uniform(0.1, 6), 1)},
        for_all=True,
    ),
    Kind(
        "clock.broker", 1, lambda c: {"ahead_s": c.choice((120.0, 2.0, -1.5, -120.0))}, for_all=True
    ),
    Kind(
        "clock.daemon",
        1,
        lambda c: {"ahead_s": c.choice((3600.0, 15.0, -15.0, -3600.0))},
        for_all=True,
    ),
)
"""What happens to the daemon and to the clocks."""

MONEY_S = 21.0
"""What no event tells, money is read for every 15 s: with the reading itself and the gap."""

DEEDS: tuple[Kind, ...] = (
    Kind("deed.bust", 3, lambda _: {}),
    Kind("deed.correct", 2, lambda _: {}),
    Kind("deed.split", 0.7, lambda _: {}, _fixed(COMPARISON_S), for_all=True),
    Kind("deed.rename", 0.5, lambda _: {}, _fixed(COMPARISON_S), for_all=True),
    Kind("deed.new_day", 0.7, lambda _: {}, _fixed(MONEY_S), for_all=True),
    Kind("deed.deposit", 1, lambda c: {"amount": c.choice(("2500", "-1300.55"))}, _fixed(MONEY_S)),
    Kind("deed.reject_next", 1, lambda _: {}),
    Kind("deed.hold_cancels", 1.5, _for),
    Kind("deed.hold_replaces", 1.5, _for),
    Kind("deed.status", 1, lambda c: {"status": c.choice(("stopped", "suspended", "calculated"))}),
    Kind("deed.twins", 3, lambda _: {}),
    Kind("deed.burst", 2, lambda c: {"orders": c.randint(5, 25)}),
    Kind("deed.bracket", 2, lambda _: {}),
    Kind("deed.round_trip", 2, lambda _: {}),
    Kind("deed.understate", 2, lambda _: {}),
    Kind("deed.echo", 3, lambda c: {"orders": c.randint(1, 4), "times": 3}),
    Kind("deed.crowd", 0.25, lambda c: {"orders": c.randint(505, 560)}),
    Kind("deed.long_day", 0.2, lambda c: {"orders": c.randint(620, 680), "told_again": 5}),
    Kind("deed.zombie", 3, lambda _: {}),
    Kind("deed.cancel_all", 1, lambda _: {}),
)
"""What users, venues and the back office do."""

KINDS: dict[str, Kind] = {kind.word: kind for kind in (*SIMULATED, *NET, *HOST, *DEEDS)}
"""Every kind by its word."""
