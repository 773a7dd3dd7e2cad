"""Rejected requests are counted, and logged with a limit."""

from structlog.testing import capture_logs

from realtime.api.problems import Problem
from realtime.api.security.rejections import (
    LINE_INTERVAL_S,
    MAX_CLIENTS,
    MAX_LINES,
    RejectionLog,
    RequestSource,
)
from realtime.store.store import Store
from tests.api.guarded import get, guarded, token
from tests.api.reader import Clock

DASHBOARD = "/realtime/dashboard/alpha"


def sender(client: str) -> RequestSource:
    return RequestSource(client=client, method="GET", path=DASHBOARD)


async def test_a_rejection_is_logged_with_principal_client_and_path(
    store: Store, clock: Clock
) -> None:
    async with guarded(store, clock) as server:
        with capture_logs() as lines:
            await server.exchange(get(DASHBOARD))
            await server.exchange(get(DASHBOARD, token(permissions=["trading"])))
            await server.exchange(get("/livez", None, "Host: evil.example"))
        metrics = (await server.exchange(get("/metrics", token(permissions=["admin"]))))[0].body
    rejected = [line for line in lines if line["event"] == "auth.rejected"]
    assert [(line["status"], line["reason"], line["principal"]) for line in rejected] == [
        (401, "token_missing", None),
        (403, "permission_missing", "ann"),
    ]
    for line in rejected:
        assert (line["log_level"], line["client"], line["method"]) == (
            "warning",
            "127.0.0.1",
            "GET",
        )
        assert line["path"] == DASHBOARD
    assert b'realtime_auth_rejections_total{reason="token_missing"} 1.0' in metrics
    assert b'realtime_auth_rejections_total{reason="permission_missing"} 1.0' in metrics


def test_lines_are_limited_per_client_and_the_next_one_counts_the_others() -> None:
    now = 0.0
    log = RejectionLog(lambda: now)
    problem = Problem("token_invalid", "x")
    with capture_logs() as lines:
        for _ in range(100):
            log.record(problem, sender("192.0.2.1"))
        now = LINE_INTERVAL_S
        log.record(problem, sender("192.0.2.1"))
    assert [line.get("suppressed") for line in lines] == [None, 99]
    assert log.counts["token_invalid"] == 101


def test_lines_are_limited_over_all_clients_and_what_is_remembered_is_bounded() -> None:
    now = 0.0
    log = RejectionLog(lambda: now)
    with capture_logs() as lines:
        for number in range(MAX_CLIENTS * 2):
            now = number * LINE_INTERVAL_S
            log.record(Problem("token_invalid", "x"), sender(f"192.0.2.{number}"))
        assert len(log._next_line_at) == MAX_CLIENTS
        lines.clear()
        for number in range(MAX_LINES * 2):
            log.record(Problem("wrong_host", "x"), sender(f"198.51.100.{number}"))
    assert len(lines) == MAX_LINES - 1, "one line of this interval was written before"


def test_refusals_of_orders_are_not_security_events() -> None:
    log = RejectionLog(lambda: 0.0)
    with capture_logs() as lines:
        log.record(Problem("unknown_account", "x"), sender("192.0.2.1"))
    assert lines == []
