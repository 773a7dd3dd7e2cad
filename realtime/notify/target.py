"""One target of notifications as it runs: what it selects, what is collected, what was sent.

The first notice is sent at once; what follows within `interval_s` becomes one message. In quiet
hours everything but errors and the digest is collected until they end.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from realtime.api.documents.notify import TargetRow
from realtime.api.documents.timestamps import format_millis
from realtime.config.settings import NotifySettings
from realtime.notify.apprise_sender import AppriseSender
from realtime.notify.delivery_queue import Failure
from realtime.notify.folding import Fold
from realtime.notify.notices import SEVERITIES, Notice
from realtime.telemetry.log import get_logger

log = get_logger()

FIRST_RETRY_S = 15.0
MAX_RETRY_S = 600.0

GIVE_UP_S = 3600.0
"""After this long, what could not be delivered is old news: it is counted, and the next message
says so."""

QUIET_CHECK_S = 60.0


class NotifyTarget:
    """One target. `clock` gives epoch seconds by the wall clock."""

    def __init__(
        self, settings: NotifySettings, sender: AppriseSender, clock: Callable[[], float]
    ) -> None:
        self.settings = settings
        self._sender = sender
        self._clock = clock
        self._zone = ZoneInfo(settings.zone)
        self._fold = Fold()
        self._collected_since = 0.0
        self._has_work = asyncio.Event()
        self._sent = self._failed = self._lost = 0
        self._sent_at: float | None = None
        self._error: tuple[str, float] | None = None
        self._failing_since: float | None = None

    def replace(self, settings: NotifySettings, sender: AppriseSender) -> None:
        """Use other settings from now on; what is collected stays."""
        self.settings, self._sender = settings, sender
        self._zone = ZoneInfo(settings.zone)
        self._has_work.set()

    def selects(self, notice: Notice) -> bool:
        """Whether the target gets a notice: type, severity, account or tier, size."""
        settings = self.settings
        if notice.type not in settings.types:
            return False
        if notice.type == "digest":
            return True
        if SEVERITIES.index(notice.severity) < SEVERITIES.index(settings.severity):
            return False
        # An unknown amount is not small.
        is_small = (
            settings.min_notional is not None
            and notice.amount is not None
            and notice.amount < Decimal(settings.min_notional)
        )
        if is_small:
            return False
        return notice.account is None or settings.selects(notice.account, notice.tier)

    def add(self, notice: Notice) -> None:
        """Collect a notice, if it is selected. Returns at once."""
        if self.selects(notice):
            if not len(self._fold):
                self._collected_since = self._clock()
            self._fold.add(notice)
            self._has_work.set()

    def is_quiet(self) -> bool:
        """Whether it is now within the quiet hours, by the clock of `zone`."""
        if self.settings.quiet is None:
            return False
        start, end = self.settings.quiet
        now = datetime.fromtimestamp(self._clock(), UTC).astimezone(self._zone)
        minute = now.hour * 60 + now.minute
        return start <= minute < end if start < end else minute >= start or minute < end

    async def run(self) -> None:
        """Send what is collected until cancelled."""
        wait_s = FIRST_RETRY_S
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(QUIET_CHECK_S if len(self._fold) else None):
                    await self._has_work.wait()
            self._has_work.clear()
            fold = self._take()
            if not len(fold):
                continue
            failure = await self._send(fold)
            if failure is None:
                wait_s = FIRST_RETRY_S
                await asyncio.sleep(self.settings.interval_s)
                continue
            self._put_back(fold, failure)
            await asyncio.sleep(wait_s)
            wait_s = min(MAX_RETRY_S, wait_s * 2)
            self._has_work.set()

    def make_row(self) -> TargetRow:
        """How it goes."""
        error = self._error
        return TargetRow(
            name=self.settings.name,
            service=self.settings.scheme,
            state="failing" if error is not None else "quiet" if self.is_quiet() else "ok",
            types=list(self.settings.types),
            waiting=len(self._fold),
            sent=self._sent,
            failed=self._failed,
            lost=self._lost,
            last_sent_at=None if self._sent_at is None else format_millis(self._sent_at),
            last_error=None if error is None else error[0],
            last_error_at=None if error is None else format_millis(error[1]),
        )

    def _take(self) -> Fold:
        """What is to be sent now."""
        if self.is_quiet():
            return self._fold.split_urgent()
        fold, self._fold = self._fold, Fold()
        return fold

    async def _send(self, fold: Fold) -> Failure | None:
        lines = fold.lines(self._clock() - self._collected_since)
        failure = await self._sender.send(fold.title, "\n".join(lines))
        if failure is None:
            self._sent += 1
            self._sent_at, self._error, self._failing_since = self._clock(), None, None
        return failure

    def _put_back(self, fold: Fold, failure: Failure) -> None:
        now = self._clock()
        if self._error is None:
            log.warning("notify.send_failed", target=self.settings.name, reason=failure.reason)
        self._failed += 1
        self._error = (failure.reason, now)
        self._failing_since = self._failing_since or now
        fold.merge(self._fold)
        self._fold = fold
        if now - self._failing_since >= GIVE_UP_S:
            count = len(fold)
            self._fold = Fold()
            self._fold.lost = fold.lost + count
            self._lost += count
            self._failing_since = now
            log.error(
                "notify.given_up", target=self.settings.name, lost=count, reason=failure.reason
            )
