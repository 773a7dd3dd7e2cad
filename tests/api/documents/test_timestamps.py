import pytest

from realtime.api.documents.timestamps import format_http_date, format_millis, format_seconds

CASES = [
    (0.0, "1970-01-01T00:00:00.000Z", "1970-01-01T00:00:00Z", "Thu, 01 Jan 1970 00:00:00 GMT"),
    (
        1_791_000_000.25,
        "2026-10-03T04:00:00.250Z",
        "2026-10-03T04:00:00Z",
        "Sat, 03 Oct 2026 04:00:00 GMT",
    ),
    (
        1_791_000_000.9999,
        "2026-10-03T04:00:00.999Z",
        "2026-10-03T04:00:00Z",
        "Sat, 03 Oct 2026 04:00:00 GMT",
    ),
]


@pytest.mark.parametrize(("epoch", "in_ms", "in_s", "http"), CASES)
def test_times_are_utc_and_rounded_down(epoch: float, in_ms: str, in_s: str, http: str) -> None:
    assert (format_millis(epoch), format_seconds(epoch), format_http_date(epoch)) == (
        in_ms,
        in_s,
        http,
    )
