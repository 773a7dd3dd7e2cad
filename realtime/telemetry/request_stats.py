"""Durations of requests, and counts of errors."""

import time
from collections import Counter
from collections.abc import Callable

from aiohttp import web

from realtime.telemetry.histogram import Histogram

BOUNDS_S = (
    0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005,
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
)  # fmt: skip
"""From 10 µs, a response from the cache, up to more than clients wait."""

STARTED_AT = web.RequestKey("began", float)
"""When the head of a request had been read, by the timer."""


class RequestStats:
    """Statistics of one server. `timer` gives seconds; only differences count."""

    def __init__(self, timer: Callable[[], float] = time.perf_counter) -> None:
        self.timer = timer
        self.cached = Histogram(BOUNDS_S)
        """Durations of responses from the response cache."""
        self.routed = Histogram(BOUNDS_S)
        """Durations of the others, until written; without event streams, which do not end."""
        self.errors: Counter[int] = Counter()
        """Status → responses with 400 and above."""

    @property
    def durations(self) -> tuple[Histogram, Histogram]:
        """Both histograms."""
        return self.cached, self.routed

    def record_response(self, request: web.BaseRequest, response: web.StreamResponse) -> None:
        """Record a response of a handler, or of a request that reached none."""
        began = request.get(STARTED_AT)
        if began is not None and isinstance(response, web.Response):
            self.routed.observe(self.timer() - began)
        if response.status >= 400:
            self.errors[response.status] += 1
