"""Writes the connection status of one account to the store and to the log.

Every outage has exactly one beginning and one end, in the status and in the log, however many
attempts lie between them; an attempt that fails for another reason than the last adds one line.
"""

from collections.abc import Callable

from msgspec import structs

from realtime.core.link import Link, LinkState
from realtime.core.model import AccountLabel
from realtime.errors import Deaf, LinkError, RealtimeError, Refused
from realtime.store.store import Store
from realtime.telemetry.log import get_logger

log = get_logger()


class LinkReporter:
    """Connection status of one account, in the store and in the log."""

    def __init__(self, label: AccountLabel, store: Store, clock: Callable[[], float]) -> None:
        self._label = label
        self._store = store
        self._clock = clock
        self._is_outage_logged = False
        self._last_reason: str | None = None

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
        self._is_outage_logged = False
        self._last_reason = None

    def report_waiting(self, error: RealtimeError, wait_s: float) -> None:
        """Report a lost or failed connection; the next attempt is due in `wait_s`."""
        now, link = self._clock(), self._link
        attempts = link.reconnect_attempts + 1
        self._update(
            structs.replace(
                link,
                state="waiting",
                since=now,
                reconnect_attempts=attempts,
                last_error_at=now,
                last_error_message=error.message,
                remedy=error.remedy or None,
                next_attempt_at=now + wait_s,
                stale_since=link.stale_since or now,
                stale_reason=f"link down: {error.message}",
            ),
            now,
        )
        self._log_failure(error, wait_s, attempts)

    def report_deaf(self, error: Deaf) -> None:
        """Report a stream that is open and does not deliver events: it is replaced at once."""
        now, link = self._clock(), self._link
        self._update(
            structs.replace(
                link,
                state="deaf",
                since=now,
                reconnect_attempts=link.reconnect_attempts + 1,
                last_error_at=now,
                last_error_message=error.message,
                stale_since=link.stale_since or now,
                stale_reason=f"deaf: {error.message}",
            ),
            now,
        )
        self._store.count("link_lost.deaf")
        self._is_outage_logged, self._last_reason = True, error.message
        log.warning("link.deaf", account=self._label, evidence=error.message)

    def report_poll(self) -> None:
        """Report a read by REST while the link is down."""
        now = self._clock()
        self._update(structs.replace(self._link, polled_at=now), now)

    def report_refused(self, error: Refused) -> None:
        """Report rejected credentials: no further attempt until the configuration changes."""
        now, link = self._clock(), self._link
        self._update(
            structs.replace(
                link,
                state="refused",
                since=now,
                last_error_at=now,
                last_error_message=error.message,
                remedy=error.remedy or None,
                next_attempt_at=None,
                stale_since=link.stale_since or now,
                stale_reason=f"refused: {error.message}",
            ),
            now,
        )
        log.error("link.refused", account=self._label, reason=error.message, remedy=error.remedy)

    def _log_failure(self, error: RealtimeError, wait_s: float, attempts: int) -> None:
        is_rate_limited = isinstance(error, LinkError) and error.status == 429
        reason = "429" if is_rate_limited else error.message
        code = error.code if isinstance(error, LinkError) else None
        facts = {"reason": reason, "wait_s": round(wait_s, 1), "attempt": attempts}
        if not self._is_outage_logged:
            log.warning("link.lost", account=self._label, code=code, **facts)
        elif reason != self._last_reason:
            log.warning("link.retry_scheduled", account=self._label, **facts)
        else:
            log.debug("link.retry_scheduled", account=self._label, **facts)
        self._store.count(f"link_lost.{'429' if is_rate_limited else code or 'other'}")
        self._is_outage_logged, self._last_reason = True, reason

    @property
    def _link(self) -> Link:
        record = self._store.get(self._label)
        assert record is not None, f"{self._label} is not in the store"
        return record.link

    def _update(self, link: Link, now: float) -> None:
        self._store.update(self._label, now=now, link=link)
