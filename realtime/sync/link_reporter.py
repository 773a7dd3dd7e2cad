"""Writes the connection status of one account to the store and to the log.

Every outage has exactly one beginning and one end, in the status and in the log, however many
attempts lie between them; while it lasts, one line a minute reports its length and reason.
"""

import asyncio
from collections.abc import Callable

from msgspec import structs

from realtime.core.link import Link, LinkState
from realtime.core.model import AccountLabel
from realtime.errors import (
    ConnectionLimitReached,
    Deaf,
    LinkError,
    RateLimited,
    RealtimeError,
    Refused,
)
from realtime.store.store import Store
from realtime.telemetry.log import get_logger

log = get_logger()

REMINDER_INTERVAL_S = 60.0
"""Between two log lines of an outage."""

NOT_CONNECTED = "not connected yet; read by REST"


class LinkReporter:
    """Connection status of one account, in the store and in the log."""

    def __init__(self, label: AccountLabel, store: Store, clock: Callable[[], float]) -> None:
        self._label = label
        self._store = store
        self._clock = clock
        self._is_outage_logged = False
        self._reminder: asyncio.TimerHandle | None = None

    def close(self) -> None:
        """Stop the log lines of an outage."""
        if self._reminder is not None:
            self._reminder.cancel()
            self._reminder = None

    def report_progress(self, state: LinkState) -> None:
        """Report a step towards `synced`: connecting, authorizing, syncing. It stays stale."""
        now = self._clock()
        self._update(structs.replace(self._link, state=state, since=now, next_attempt_at=None), now)

    def synced_link(self, now: float) -> Link:
        """Return the link of a synced account; the caller publishes it together with the state."""
        return structs.replace(
            self._link,
            state="synced",
            since=now,
            reconnect_attempts=0,
            next_attempt_at=None,
            remedy=None,
            polled_at=None,
            stale_since=None,
            stale_reason=None,
        )

    def log_synced(self, *, stale_since: float | None, attempts: int) -> None:
        """Log the end of an outage, or the first connection."""
        now = self._clock()
        down_s = round(now - stale_since, 3) if stale_since is not None else None
        event = "link.recovered" if self._is_outage_logged else "link.connected"
        log.info(event, account=self._label, took_s=down_s, attempts=attempts)
        self._end_outage()

    def report_waiting(self, error: RealtimeError, wait_s: float) -> None:
        """Report a lost or failed connection; the next attempt is due in `wait_s`."""
        attempts = self._link.reconnect_attempts + 1
        now = self._report_failure("waiting", error, f"link down: {error.message}", wait_s=wait_s)
        is_limited = isinstance(error, ConnectionLimitReached)
        code = error.code if isinstance(error, LinkError) else None
        facts = {"reason": error.message, "wait_s": round(wait_s, 1), "attempt": attempts}
        self._store.count(f"link_lost.{'429' if is_limited else code or 'other'}")
        if self._is_outage_logged:
            log.debug("link.retry_scheduled", account=self._label, **facts)
        else:
            log.warning("link.lost", account=self._label, code=code, **facts)
            self._start_outage(now)

    def report_rate_limited(self, error: RateLimited, wait_s: float) -> None:
        """Report that the broker rate limits the first read; the stream stays open."""
        reason = f"REST requests are rate limited by the broker: {error.message}"
        now, link = self._clock(), self._link
        self._update(
            structs.replace(
                link,
                last_error_at=now,
                last_error_message=reason,
                remedy="another program may use up this key's requests; stop it, or wait",
                next_attempt_at=now + wait_s,
                stale_since=link.stale_since or now,
                stale_reason=reason,
            ),
            now,
        )
        log.warning(
            "snapshot.rate_limited",
            account=self._label,
            reason=error.message,
            wait_s=round(wait_s, 1),
        )

    def report_deaf(self, error: Deaf) -> None:
        """Report a stream that is open and does not deliver events: it is replaced at once."""
        now = self._report_failure("deaf", error, f"deaf: {error.message}")
        self._store.count("link_lost.deaf")
        log.warning("link.deaf", account=self._label, evidence=error.message)
        self._start_outage(now)

    def report_poll(self) -> None:
        """Report a read by REST while the link is down."""
        now, link = self._clock(), self._link
        reason = NOT_CONNECTED if link.last_error_at is None else link.stale_reason
        self._update(structs.replace(link, polled_at=now, stale_reason=reason), now)

    def report_refused(self, error: Refused) -> None:
        """Report rejected credentials: no further attempt until the configuration changes."""
        self._report_failure("refused", error, f"refused: {error.message}")
        log.error("link.refused", account=self._label, reason=error.message, remedy=error.remedy)
        self._end_outage()

    def _report_failure(
        self, state: LinkState, error: RealtimeError, reason: str, *, wait_s: float | None = None
    ) -> float:
        """Publish a link that is not synced because of `error`; return the time of it."""
        now, link = self._clock(), self._link
        self._update(
            structs.replace(
                link,
                state=state,
                since=now,
                reconnect_attempts=link.reconnect_attempts + (state != "refused"),
                last_error_at=now,
                last_error_message=error.message,
                remedy=error.remedy or None,
                next_attempt_at=None if wait_s is None else now + wait_s,
                stale_since=link.stale_since or now,
                stale_reason=reason,
            ),
            now,
        )
        return now

    def _start_outage(self, now: float) -> None:
        self._is_outage_logged = True
        if self._reminder is None:
            self._schedule_reminder(self._link.stale_since or now)

    def _end_outage(self) -> None:
        self._is_outage_logged = False
        self.close()

    def _schedule_reminder(self, down_since: float) -> None:
        loop = asyncio.get_running_loop()
        self._reminder = loop.call_later(REMINDER_INTERVAL_S, self._remind, down_since)

    def _remind(self, down_since: float) -> None:
        link = self._link
        log.info(
            "link.down",
            account=self._label,
            down_s=round(self._clock() - down_since),
            reason=link.last_error_message,
            attempts=link.reconnect_attempts,
        )
        self._schedule_reminder(down_since)

    @property
    def _link(self) -> Link:
        record = self._store.get(self._label)
        assert record is not None, f"{self._label} is not in the store"
        return record.link

    def _update(self, link: Link, now: float) -> None:
        self._store.update(self._label, now=now, link=link)
