import asyncio

import msgspec
import pytest

from tests.api.reader import Reader

LIMIT_S = 30.0

OUTSIDE = [
    (b"\x16\x03\x01 not http\r\n\r\n", 400, "malformed_request"),
    (b"GET / HTTP/9.9\r\n\r\n", 400, "malformed_request"),
    (b"GET / HTTP/1.1\r\nBad Header: x\r\n\r\n", 400, "malformed_request"),
    (b"FOO / HTTP/1.1\r\nHost: x\r\n\r\n", 400, "malformed_request"),
    (b"GET http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n", 400, "malformed_request"),
    (b"GET /realtime/account/\xff HTTP/1.1\r\nHost: x\r\n\r\n", 400, "malformed_request"),
    (
        b"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
        "malformed_request",
    ),
    (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 300 + b"\r\n", 400, "malformed_request"),
    (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414, "uri_too_long"),
    (b"GET / HTTP/1.1\r\nX: " + b"a" * 9000 + b"\r\n\r\n", 431, "headers_too_large"),
    (b"GET / HTTP/1.1\r\nHost: x\r\nExpect: cake\r\n\r\n", 417, "expectation_failed"),
    (b"GET /nix HTTP/1.1\r\nHost: x\r\nExpect: cake\r\n\r\n", 417, "expectation_failed"),
]


async def send(reader: Reader, raw: bytes) -> tuple[bytes, bytes]:
    """Head and body of the answer to these bytes."""
    async with asyncio.timeout(LIMIT_S):
        source, sink = await asyncio.open_connection("127.0.0.1", reader.port)
        try:
            sink.write(raw)
            head = await source.readuntil(b"\r\n\r\n")
            lengths = [s for s in head.lower().split(b"\r\n") if s.startswith(b"content-length:")]
            return head, await source.readexactly(int(lengths[0].split(b":")[1]))
        finally:
            sink.close()
            await sink.wait_closed()


@pytest.mark.parametrize(("raw", "status", "code"), OUTSIDE)
async def test_what_never_reached_a_route_is_a_problem_too(
    reader: Reader, raw: bytes, status: int, code: str
) -> None:
    head, body = await send(reader, raw)
    assert head.split(b" ", 2)[1] == str(status).encode()
    assert b"content-type: application/problem+json" in head.lower()
    assert b"\r\nServer: realtime\r\n" in head
    problem = msgspec.json.decode(body)
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["remedy"]


async def test_requests_in_a_row_on_one_connection(reader: Reader) -> None:
    """Pipelined: the answers come in order, a wrong one among them harms nobody."""
    asked = b"".join(
        b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path for path in (b"/livez", b"/nix", b"/readyz")
    )
    async with asyncio.timeout(LIMIT_S):
        source, sink = await asyncio.open_connection("127.0.0.1", reader.port)
        sink.write(
            asked.replace(b"/readyz HTTP/1.1\r\n", b"/readyz HTTP/1.1\r\nConnection: close\r\n")
        )
        answers = await source.read()
        sink.close()
        await sink.wait_closed()
    found = [answers.find(word) for word in (b'"alive"', b"unknown_route", b'"ready"')]
    assert -1 not in found
    assert found == sorted(found)
