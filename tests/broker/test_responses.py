"""Each status and body has its error, whatever the headers contain."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.broker import responses
from realtime.errors import BrokerError, KeyRejected, LinkError, RateLimited, RealtimeError

NOW = "Tue, 06 Oct 2026 14:02:11 GMT"
NOW_S = 1_791_295_331
HTML = b"<html><head><title>401 Authorization Required</title></head></html>"
CODED = b'{"code":40310000,"message":"insufficient buying power","buying_power":"1"}'


@pytest.mark.parametrize("status", [200, 204, 207])
def test_success_raises_nothing(status: int) -> None:
    responses.check(status, {}, b"", "GET /x")


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (401, b'{"message": "unauthorized."}', KeyRejected),
        (401, HTML, LinkError),
        (401, b'{"code":40110000,"message":"request is not authorized"}', KeyRejected),
        (401, b"", LinkError),
        (401, b'{"error":"login required"}', LinkError),
        (403, HTML, LinkError),
        (403, b"[]", LinkError),
        (403, b'"forbidden"', LinkError),
        (403, b'{"message":"forbidden."}', KeyRejected),
        (403, b'{"code":40110000,"message":"x"}', KeyRejected),
        (403, CODED, BrokerError),
        (404, b'{"code":40410000,"message":"order not found for x"}', BrokerError),
        (404, b'{"message":"Not Found"}', BrokerError),
        (404, HTML, LinkError),
        (422, b'{"code":"42210000","message":5}', BrokerError),
        (408, b'{"message":"request timeout"}', LinkError),
        (422, b"[]", BrokerError),
        (429, b'{"code":42910000,"message":"rate limit exceeded."}', RateLimited),
        (429, HTML, RateLimited),
        (500, b'{"code":50010000,"message":"internal server error occurred"}', LinkError),
        (502, HTML, LinkError),
        (503, b"", LinkError),
        (504, b"\xff", LinkError),
        (302, b"", LinkError),
        (304, b"", LinkError),
        (400, b"", LinkError),
    ],
)
def test_each_failure_has_its_error(
    status: int, body: bytes, expected: type[RealtimeError]
) -> None:
    with pytest.raises(expected) as caught:
        responses.check(status, {}, body, "GET /v2/x", "r-1")
    error = caught.value
    assert type(error) is expected
    assert error.message.startswith(f"GET /v2/x: {status}")
    assert error.message.endswith("(request r-1)")
    if isinstance(error, LinkError):
        assert error.status == status
    names_gateway = "gateway" in error.remedy
    assert names_gateway == (expected is LinkError and status < 500 and status != 408)
    assert ("key" in error.remedy) == (expected is KeyRejected)


def test_rejection_keeps_code_and_body() -> None:
    """The broker's rejection of an order is kept byte for byte."""
    with pytest.raises(BrokerError, match="insufficient buying power") as caught:
        responses.check(403, {}, CODED, "POST /v2/orders")
    assert (caught.value.status, caught.value.code) == (403, 40310000)
    assert caught.value.body == CODED


def test_long_messages_are_cut() -> None:
    body = b'{"message":"' + b"x" * 100_000 + b'"}'
    with pytest.raises(LinkError) as caught:
        responses.check(500, {"X-Request-ID": "y" * 100_000}, body, "GET /x")
    assert len(caught.value.message) < 400


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "Tue, 06 Oct 2026 14:02:41 GMT", "Date": NOW}, 30),
        ({"Retry-After": "Tue, 06 Oct 2026 14:02:41 GMT"}, None),
        ({"Retry-After": "Tue, 06 Oct 2026 14:00:00 GMT", "Date": NOW}, 0),
        ({"X-RateLimit-Reset": str(NOW_S + 12), "Date": NOW}, 12),
        ({"X-RateLimit-Reset": str(NOW_S - 12), "Date": NOW}, 0),
        ({"X-RateLimit-Reset": str(NOW_S + 12)}, None),
        ({"Retry-After": "-7"}, None),
        ({"Retry-After": "soon", "X-RateLimit-Reset": "9" * 400, "Date": "now"}, None),
    ],
)
def test_retry_after(headers: dict[str, str], expected: float | None) -> None:
    """The broker's header, by its own clock: ours does not matter."""
    assert responses.retry_after_s(headers) == expected
    with pytest.raises(RateLimited) as caught:
        responses.check(429, headers, b"", "GET /x")
    assert caught.value.retry_after_s == expected


@given(st.text())
def test_unreadable_headers_count_as_absent(header: str) -> None:
    """A header that cannot be parsed raises nothing."""
    responses.parse_date(header)
    responses.parse_integer(header)
