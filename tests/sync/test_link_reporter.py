"""Status and log of one account's connection."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from structlog.testing import capture_logs

from realtime.core.link import Link
from realtime.core.model import AccountLabel
from realtime.errors import Deaf, LinkError, RateLimited, Refused
from realtime.store.records import Profile
from realtime.store.store import Store
from realtime.sync.link_reporter import NOT_CONNECTED, LinkReporter
from tests import virtual

LABEL = AccountLabel("alpha")


def report(act: Callable[[LinkReporter], Awaitable[None]]) -> tuple[Link, list[Any]]:
    """Run `act` with a reporter; return the link at the end and the log."""
    store = Store(boot="b")
    store.add(Profile(label=LABEL), now=0.0, link=Link(since=5.0, stale_since=5.0))

    async def main() -> None:
        reporter = LinkReporter(LABEL, store, virtual.wall_clock)
        await act(reporter)
        reporter.close()
        await asyncio.sleep(200)  # nothing is logged after `close`

    with capture_logs() as lines:
        virtual.run(main)
    record = store.get(LABEL)
    assert record is not None
    return record.link, lines


def test_outage_is_logged_once_a_minute_until_it_ends() -> None:
    async def act(reporter: LinkReporter) -> None:
        for _ in range(3):
            reporter.report_waiting(LinkError("no route"), 50)
            await asyncio.sleep(50)
        reporter.log_synced(stale_since=virtual.wall_clock() - 150, attempts=3)
        await asyncio.sleep(200)

    _, lines = report(act)
    shown = [line["event"] for line in lines if line["log_level"] != "debug"]
    assert shown == ["link.lost", "link.down", "link.down", "link.recovered"]


def test_failures_are_stale_since_the_first_with_the_last_reason() -> None:
    async def act(reporter: LinkReporter) -> None:
        reporter.report_waiting(LinkError("first"), 5)
        reporter.report_progress("connecting")
        reporter.report_waiting(LinkError("second", remedy="try"), 10)

    link, _ = report(act)
    assert (link.state, link.reconnect_attempts, link.stale_since) == ("waiting", 2, 5.0)
    assert (link.stale_reason, link.remedy) == ("link down: second", "try")


def test_deaf_and_refused_links_say_so() -> None:
    async def deaf(reporter: LinkReporter) -> None:
        reporter.report_deaf(Deaf("order_missing x"))

    async def refused(reporter: LinkReporter) -> None:
        reporter.report_waiting(LinkError("x"), 5)
        reporter.report_refused(Refused("bad key", remedy="new key"))
        await asyncio.sleep(200)

    assert report(deaf)[0].stale_reason == "deaf: order_missing x"
    link, lines = report(refused)
    assert (link.state, link.stale_reason, link.remedy) == (
        "refused",
        "refused: bad key",
        "new key",
    )
    assert [line["event"] for line in lines] == ["link.lost", "link.refused"]


def test_poll_before_the_first_failure_says_that_the_stream_is_late() -> None:
    async def act(reporter: LinkReporter) -> None:
        reporter.report_progress("connecting")
        reporter.report_poll()

    link, _ = report(act)
    assert (link.stale_reason, link.is_stale) == (NOT_CONNECTED, True)
    assert link.polled_at is not None


def test_rate_limited_snapshot_keeps_its_state_and_names_rest() -> None:
    async def act(reporter: LinkReporter) -> None:
        reporter.report_progress("syncing")
        reporter.report_rate_limited(RateLimited("GET /v2/orders: 429"), 9)

    link, _ = report(act)
    assert link.state == "syncing"
    assert "REST requests are rate limited" in str(link.stale_reason)
    assert link.next_attempt_at is not None
