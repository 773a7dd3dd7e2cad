"""Rejected requests (401, 403, wrong names) as security events: counted, and logged at warning.

A client can cause any number of them, so the log gets a few lines per client and reason; the next
line states how many were left out.
"""

import time
from collections import Counter, OrderedDict
from collections.abc import Callable

from msgspec import Struct

from realtime.api.problems import Problem, quote
from realtime.telemetry.log import get_logger

log = get_logger()

CODES = (
    "token_missing", "token_invalid", "token_expired", "permission_missing", "cross_origin",
    "cors_refused", "wrong_host", "trading_not_permitted", "no_account",
)  # fmt: skip
"""Codes of problems that are security events. Refusals of an order by a check or by the broker are
not: `order.refused` reports them."""

LINE_INTERVAL_S = 10.0
"""Between two lines about the same client and reason."""

MAX_CLIENTS = 1024
"""Clients and reasons that are remembered; the oldest is forgotten first."""

MAX_LINES = 20
"""Lines per interval in total: addresses can be many, too."""


class RequestSource(Struct, frozen=True, kw_only=True):
    """Who sent a request, and for what."""

    client: str | None
    """The address that it came from."""
    method: str
    path: str
    user_id: str | None = None
    """Of a token that verified; None: there was none."""


class RejectionLog:
    """Counts rejections by reason, and logs them. `timer` gives seconds that never go back."""

    def __init__(self, timer: Callable[[], float] = time.monotonic) -> None:
        self.counts: Counter[str] = Counter(dict.fromkeys(CODES, 0))
        self._timer = timer
        self._next_line_at: OrderedDict[tuple[str | None, str], float] = OrderedDict()
        self._interval_ends_at = timer()
        self._lines = 0
        self._suppressed = 0

    def record(self, problem: Problem, source: RequestSource) -> None:
        """Count a rejection, and log it unless there were many."""
        if problem.code not in CODES:
            return
        self.counts[problem.code] += 1
        if not self._may_log((source.client, problem.code)):
            self._suppressed += 1
            return
        suppressed, self._suppressed = self._suppressed, 0
        log.warning(
            "auth.rejected",
            status=problem.kinds[problem.code].status,
            reason=problem.code,
            principal=source.user_id,
            client=source.client,
            method=source.method,
            path=quote(source.path),
            **({"suppressed": suppressed} if suppressed else {}),
        )

    def _may_log(self, key: tuple[str | None, str]) -> bool:
        now = self._timer()
        if now >= self._interval_ends_at:
            self._interval_ends_at, self._lines = now + LINE_INTERVAL_S, 0
        if self._lines >= MAX_LINES or now < self._next_line_at.get(key, 0.0):
            return False
        self._lines += 1
        self._next_line_at[key] = now + LINE_INTERVAL_S
        self._next_line_at.move_to_end(key)
        if len(self._next_line_at) > MAX_CLIENTS:
            self._next_line_at.popitem(last=False)
        return True
