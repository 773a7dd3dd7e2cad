"""How long requests took, and which failed."""

import time
from collections import Counter
from collections.abc import Callable

from aiohttp import web

from realtime.telemetry.histogram import Histogram

BOUNDS_S = (
    0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005,
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
)  # fmt: skip
"""From 10 µs, which an answer from memory takes, to what nobody waits for."""

STARTED_AT = web.RequestKey("began", float)
"""When a request's head had been read, by the timer."""


class RequestStats:
    """One a server. `timer` gives seconds; only differences count."""

    def __init__(self, timer: Callable[[], float] = time.perf_counter) -> None:
        self.timer = timer
        self.cached = Histogram(BOUNDS_S)
        """Those answered by what their head meant before."""
        self.routed = Histogram(BOUNDS_S)
        """The others, to the end of writing; without the push, which has none."""
        self.errors: Counter[int] = Counter()
        """Status → answers, from 400 on."""

    @property
    def durations(self) -> tuple[Histogram, Histogram]:
        """Both."""
        return self.cached, self.routed

    def record_response(self, request: web.BaseRequest, response: web.StreamResponse) -> None:
        """Note an answer of a route, or of what never reached one."""
        began = request.get(STARTED_AT)
        if began is not None and isinstance(response, web.Response):
            self.routed.observe(self.timer() - began)
        if response.status >= 400:
            self.errors[response.status] += 1
