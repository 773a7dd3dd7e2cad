"""What the world is told of one account's connection: in the store, and in the log.

Every outage has exactly one beginning and one end, in the status and in the log, however many
attempts lie between them; an attempt that fails for another reason than the last is one line more.
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
    """Writes one account's link into the store and announces what changed."""

    def __init__(self, label: AccountLabel, store: Store, clock: Callable[[], float]) -> None:
        self._label = label
        self._store = store
        self._clock = clock
        self._outage_told = False
        self._last_reason: str | None = None

    def enter(self, state: LinkState) -> None:
        """A step of the way up: connecting, authorizing, syncing. It stays stale meanwhile."""
        now = self._clock()
        self._put(structs.replace(self._link, state=state, since=now, next_attempt_at=None), now)

    def live(self, link_now: float) -> Link:
        """The link once the snapshot is in; the caller publishes it together with the state."""
        return structs.replace(
            self._link,
            state="synced",
            since=link_now,
            reconnect_attempts=0,
            next_attempt_at=None,
            remedy=None,
            polled_at=None,
            stale_since=None,
            stale_reason=None,
        )

    def announce_synced(self, *, stale_since: float | None, attempts: int) -> None:
        """Log the end of an outage, or the first connection."""
        now = self._clock()
        down_s = round(now - stale_since, 3) if stale_since is not None else None
        event = "link.recovered" if self._outage_told else "link.connected"
        log.info(event, account=self._label, took_s=down_s, attempts=attempts)
        self._outage_told = False
        self._last_reason = None

    def waiting(self, error: RealtimeError, wait_s: float) -> None:
        """The connection is lost or could not be made; the next attempt is due in `wait_s`."""
        now, link = self._clock(), self._link
        rate_limited = isinstance(error, LinkError) and error.status == 429
        remedy = error.remedy or None
        attempts = link.reconnect_attempts + 1
        self._put(
            structs.replace(
                link,
                state="waiting",
                since=now,
                reconnect_attempts=attempts,
                last_error_at=now,
                last_error_message=error.message,
                remedy=remedy,
                next_attempt_at=now + wait_s,
                stale_since=link.stale_since or now,
                stale_reason=f"link down: {error.message}",
            ),
            now,
        )
        self._tell(error, wait_s, attempts, rate_limited=rate_limited)

    def deaf(self, error: Deaf) -> None:
        """The socket lives and tells nothing: it is left for a new one at once."""
        now, link = self._clock(), self._link
        self._put(
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
        self._outage_told, self._last_reason = True, error.message
        log.warning("link.deaf", account=self._label, evidence=error.message)

    def polled(self) -> None:
        """A reading by REST landed while the link is down."""
        now = self._clock()
        self._put(structs.replace(self._link, polled_at=now), now)

    def refused(self, error: Refused) -> None:
        """The credentials do not work: no further attempt until the configuration changes."""
        now, link = self._clock(), self._link
        self._put(
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

    def _tell(
        self, error: RealtimeError, wait_s: float, attempts: int, *, rate_limited: bool
    ) -> None:
        reason = "429" if rate_limited else error.message
        code = error.code if isinstance(error, LinkError) else None
        facts = {"reason": reason, "wait_s": round(wait_s, 1), "attempt": attempts}
        if not self._outage_told:
            log.warning("link.lost", account=self._label, code=code, **facts)
        elif reason != self._last_reason:
            log.warning("link.retry_scheduled", account=self._label, **facts)
        else:
            log.debug("link.retry_scheduled", account=self._label, **facts)
        self._store.count(f"link_lost.{'429' if rate_limited else code or 'other'}")
        self._outage_told, self._last_reason = True, reason

    @property
    def _link(self) -> Link:
        record = self._store.get(self._label)
        assert record is not None, f"{self._label} is followed but not in the store"
        return record.link

    def _put(self, link: Link, now: float) -> None:
        self._store.update(self._label, now=now, link=link)
