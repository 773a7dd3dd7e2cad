"""Sends one message through apprise, in a thread that nothing waits for longer than a limit.

apprise blocks, and a thread cannot be stopped; so each target has at most one, and it is a daemon
thread: it does not keep the process from ending. apprise logs addresses, so its own log is not
passed on; of its reasons nothing that is part of the address is shown.
"""

import asyncio
import logging
import re
import threading
from collections.abc import Callable

from realtime.config.settings import NotifySettings
from realtime.notify.delivery_queue import Failure

TIMEOUT_S = 30.0
"""Limit of one message; apprise's own limits are 4 s each for connecting and reading."""

MAX_REASON = 200

Deliver = Callable[[str, str, str], str | None]
"""Takes address, title and body; returns why it was not accepted, or None. It may block."""


class AppriseSender:
    """One target. `deliver` is apprise, or a stand-in of a test."""

    def __init__(self, settings: NotifySettings, deliver: Deliver | None = None) -> None:
        self._settings = settings
        self._deliver = deliver or deliver_with_apprise
        self._thread: threading.Thread | None = None

    async def send(self, title: str, body: str) -> Failure | None:
        """Send a message; None: it was accepted."""
        if self._thread is not None and self._thread.is_alive():
            return Failure("unreachable", f"an earlier message still hangs after {TIMEOUT_S:.0f} s")
        loop = asyncio.get_running_loop()
        done: asyncio.Future[str | None] = loop.create_future()
        url = self._settings.url.reveal()

        def work() -> None:
            try:
                reason = self._deliver(url, title, body)
            except Exception as error:  # noqa: BLE001 - whatever a plugin of apprise raises
                reason = f"apprise failed ({type(error).__name__})"
            try:
                loop.call_soon_threadsafe(_set_result, done, reason)
            except RuntimeError:  # the loop has ended meanwhile
                return

        self._thread = threading.Thread(target=work, name="notify", daemon=True)
        self._thread.start()
        try:
            async with asyncio.timeout(TIMEOUT_S):
                reason = await done
        except TimeoutError:
            return Failure("unreachable", f"no result within {TIMEOUT_S:.0f} s")
        return None if reason is None else Failure("rejected", mask(reason, url)[:MAX_REASON])


def deliver_with_apprise(url: str, title: str, body: str) -> str | None:
    """Send with apprise; returns why it was not accepted. Blocks."""
    import apprise  # noqa: PLC0415 - only where [[notify]] is configured; it takes half a second

    asset = apprise.AppriseAsset(async_mode=False, app_id="realtime")
    target = apprise.Apprise(asset=asset)
    log, lines = logging.getLogger("apprise"), ThreadLines()
    log.propagate = False
    log.addHandler(lines)
    try:
        if not target.add(url):
            return "apprise does not accept the address: compare it with its wiki"
        if target.notify(title=title, body=body):
            return None
    finally:
        log.removeHandler(lines)
    return lines.last or "the service did not accept the message"


class ThreadLines(logging.Handler):
    """The last warning of this thread: other targets send at the same time."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.last = ""
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line of this thread."""
        if record.thread == self._thread:
            self.last = record.getMessage().strip()


def mask(text: str, url: str) -> str:
    """The text without any part of an address: these are tokens and passwords."""
    parts = {part for part in re.split(r"[^A-Za-z0-9_-]+", url.partition("://")[2]) if part}
    for part in sorted(parts, key=len, reverse=True):
        if len(part) >= 4:
            text = re.sub(re.escape(part), "***", text, flags=re.IGNORECASE)
    return text.replace(url, "***")


def _set_result(done: "asyncio.Future[str | None]", reason: str | None) -> None:
    if not done.done():
        done.set_result(reason)
