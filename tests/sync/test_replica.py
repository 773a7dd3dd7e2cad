"""A key counts as invalid after two rejections; reads during an outage log one line."""

from structlog.testing import capture_logs

from realtime.errors import KeyRejected, LinkError, Refused
from realtime.sync.replica import MAX_LOGGED_DIFFERENCES, KeyRejections
from tests.fleet import Fleet
from tests.sync.scene import play

ERROR = KeyRejected("unauthorized.", remedy="a valid key")


def test_second_rejection_is_final_whatever_its_source() -> None:
    for first, second in (("rest", "rest"), ("stream", "stream"), ("stream", "rest")):
        rejections = KeyRejections()
        error = rejections.count(first, ERROR)  # type: ignore[arg-type]  # a literal
        assert isinstance(error, LinkError)
        assert error.remedy == ERROR.remedy
        final = rejections.count(second, ERROR)  # type: ignore[arg-type]  # a literal
        assert isinstance(final, Refused)
        assert (final.message, final.remedy) == (ERROR.message, ERROR.remedy)


def test_success_resets_only_its_own_source() -> None:
    """REST may work while the stream rejects the key: that does not make it valid."""
    rejections = KeyRejections()
    for _ in range(5):
        rejections.count("rest", ERROR)
        rejections.reset("rest")
    rejections.count("stream", ERROR)
    rejections.reset("rest")
    assert isinstance(rejections.count("stream", ERROR), Refused)


def test_discrepancies_of_one_read_log_a_bounded_number_of_lines() -> None:
    async def act(fleet: Fleet) -> None:
        await fleet.fault(kind="drop", account="alpha", for_s=100)
        for _ in range(2 * MAX_LOGGED_DIFFERENCES):
            fleet.buy("alpha", type="limit", limit_price="1")
        counts = fleet.daemon.store.counts
        with capture_logs() as lines:
            await fleet.until(
                lambda: counts["differences.order_missing"] >= 2 * MAX_LOGGED_DIFFERENCES,
                within_s=100,
            )
        logged = [line for line in lines if line["event"] == "reconcile.difference_found"]
        assert len(logged) == MAX_LOGGED_DIFFERENCES

    play(act, accounts=1)
