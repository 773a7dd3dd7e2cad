"""HTTP requests of one account: what is sent, what ends them, and the broker's clock."""

import asyncio
import gzip
from math import floor

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.broker import http_client
from realtime.broker.http_client import REQUEST_TIMEOUT_S, ClockOffset
from realtime.broker.rate_limiter import FleetLimiter, RateLimiter
from realtime.broker.rest_client import RestClient
from realtime.errors import LinkError, RateLimited, Refused
from realtime.secret import Credentials, Secret
from tests.broker.brokers import (
    DATE,
    DATE_S,
    KEYS,
    client_of,
    fixed,
    json_of,
    raw_broker,
    rest_broker,
    rest_client,
)
from tests.broker.samples import ACCOUNT
from tests.virtual import VirtualConnector, run

PORT = 8091


async def test_request_id() -> None:
    """The broker's id of a request is kept, of failures too."""
    async with rest_client(fixed(200, json_of(ACCOUNT), X_Request_ID="r-1")) as rest:
        assert rest.last_request_id is None
        await rest.fetch_account()
        assert rest.last_request_id == "r-1"
    async with rest_client(fixed(500, b"", X_Request_ID="r-2")) as rest:
        with pytest.raises(LinkError, match="r-2"):
            await rest.fetch_account()
        assert rest.last_request_id == "r-2"


async def test_offset() -> None:
    """Every response narrows the offset of the broker's clock."""
    async with rest_client(
        fixed(200, json_of(ACCOUNT), Date="Tue, 06 Oct 2026 14:02:21 GMT")
    ) as rest:
        assert rest.clock_offset_s is None
        await rest.fetch_account()
        assert rest.clock_offset_s == pytest.approx(10.5)


async def test_budget_headers() -> None:
    """The rate limiter receives the broker's count, and a 429."""
    limiter = RateLimiter(FleetLimiter())
    headers = {
        "X_RateLimit_Remaining": "0",
        "X_RateLimit_Reset": str(DATE_S + 20),
        "Date": DATE,
    }
    async with (
        rest_broker(fixed(200, json_of(ACCOUNT), **headers)) as url,
        client_of(url, limiter) as r,
    ):
        await r.fetch_account()
    assert limiter.reads_paused_s == pytest.approx(20, abs=1)

    limiter = RateLimiter(FleetLimiter())
    async with rest_broker(fixed(429, b"", Retry_After="9")) as url, client_of(url, limiter) as r:
        with pytest.raises(RateLimited) as caught:
            await r.fetch_account()
    assert caught.value.retry_after_s == 9
    assert limiter.reads_paused_s == pytest.approx(9, abs=1)


async def test_gzip() -> None:
    packed = gzip.compress(json_of(ACCOUNT))
    async with rest_client(fixed(200, packed, Content_Encoding="gzip")) as rest:
        assert (await rest.fetch_account()).id == ACCOUNT["id"]
    async with rest_client(fixed(200, packed[:-20], Content_Encoding="gzip")) as rest:
        with pytest.raises(LinkError):
            await rest.fetch_account()
    async with rest_client(fixed(200, b"not gzip", Content_Encoding="gzip")) as rest:
        with pytest.raises(LinkError):
            await rest.fetch_account()


async def test_body_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit applies to the uncompressed body."""
    monkeypatch.setattr(http_client, "MAX_BODY_BYTES", 10_000)
    bomb = gzip.compress(b" " * 50_000_000)
    async with rest_client(fixed(200, bomb, Content_Encoding="gzip")) as rest:
        with pytest.raises(LinkError, match="longer than"):
            await rest.fetch_account()


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
    ],
)
async def test_broken_http(said: bytes) -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        await writer.drain()

    async with raw_broker(speak) as address, client_of(f"http://{address}") as rest:
        with pytest.raises(LinkError):
            await rest.fetch_account()


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://no-such-host.invalid", "x", ""])
async def test_no_server(url: str) -> None:
    async with client_of(url) as rest:
        with pytest.raises(LinkError):
            await rest.fetch_account()


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"])
def test_every_request_ends(said: bytes) -> None:
    """A response that stops in the middle ends at the time limit."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        await reader.read()

    async def main() -> float:
        async with (
            raw_broker(speak, port=PORT) as address,
            aiohttp.ClientSession(connector=VirtualConnector()) as http,
        ):
            rest = RestClient(http, f"http://{address}", KEYS, RateLimiter(FleetLimiter()))
            with pytest.raises(LinkError, match=f"no response .* within {REQUEST_TIMEOUT_S:.0f} s"):
                await rest.fetch_account()
            return asyncio.get_running_loop().time()

    assert run(main) == pytest.approx(REQUEST_TIMEOUT_S, abs=1.1)


@pytest.mark.parametrize("secret", ["s3cr\nX-Evil: 1", "s3cr\udc80", "s3crét", "", " "])
async def test_invalid_key_is_not_sent(secret: str) -> None:
    """What is empty or not plain is refused before it is sent, and not shown."""
    async with rest_broker(fixed(200, json_of(ACCOUNT))) as url, aiohttp.ClientSession() as http:
        rest = RestClient(
            http, url, Credentials(Secret("PKEXAMPLE"), Secret(secret)), RateLimiter(FleetLimiter())
        )
        with pytest.raises(Refused, match="is empty or not plain") as caught:
            await rest.fetch_account()
    assert "s3cr" not in str(caught.value)


def test_clock_offset_is_unknown_before_a_response() -> None:
    assert ClockOffset().seconds is None


def test_one_response_bounds_the_clock_offset() -> None:
    """The error is at most half a second and half a round trip."""
    offset = ClockOffset()
    offset.add(1000, sent_at=990.2, received_at=990.4)
    assert offset.seconds == pytest.approx(10.2)


@given(
    st.floats(-100, 100),
    st.lists(st.tuples(st.floats(0, 1000), st.floats(0, 0.5), st.floats(0, 1)), min_size=1),
)
def test_clock_offset_stays_within_its_bounds(
    true_offset: float, responses: list[tuple[float, float, float]]
) -> None:
    """For any round trips, the error is at most half a second and half the shortest."""
    offset = ClockOffset()
    for sent_at, trip_s, share in responses:
        date = floor(sent_at + trip_s * share + true_offset)
        offset.add(date, sent_at=sent_at, received_at=sent_at + trip_s)
    assert offset.seconds is not None
    shortest = min(trip_s for _, trip_s, _ in responses)
    assert abs(offset.seconds - true_offset) <= (1 + shortest) / 2 + 1e-6


def test_many_responses_narrow_the_clock_offset() -> None:
    offset = ClockOffset()
    for step in range(1000):
        sent_at = step * 1.0371
        offset.add(floor(sent_at + 0.05 + 2.345), sent_at=sent_at, received_at=sent_at + 0.1)
    assert offset.seconds == pytest.approx(2.345, abs=0.01)


def test_clock_offset_after_a_clock_was_set() -> None:
    """A response that contradicts the earlier bounds replaces them."""
    offset = ClockOffset()
    offset.add(1000, sent_at=1000.4, received_at=1000.5)
    offset.add(1000, sent_at=4600.4, received_at=4600.5)
    assert offset.seconds == pytest.approx(-3599.95)
