"""A client that disconnects, at whatever moment, writes no warning and no error line."""

import asyncio
import io
import socket
import struct

import pytest

from realtime.api.listener import serve
from realtime.store.store import Store
from realtime.telemetry import log
from tests.api.reader import Clock, application
from tests.telemetry.conftest import _log_as_before

__all__ = ["_log_as_before"]

HEAD = b" HTTP/1.1\r\nHost: x\r\n"
REQUESTS = {
    "pipelined": (b"GET /realtime/dashboard/alpha" + HEAD + b"\r\n") * 200,
    "half a body": b"POST /session" + HEAD + b"Content-Length: 10\r\n\r\nab",
    "half a chunk": b"POST /orders" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab",
    "bad chunk": b"POST /orders" + HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    "event stream": b"GET /realtime/events" + HEAD + b"\r\n",
    "TLS": b"\x16\x03\x01\x02\x00",
    "long line": b"GET /x" * 2000,
}


@pytest.mark.parametrize("name", REQUESTS)
async def test_lost_connection_writes_no_line(store: Store, name: str) -> None:
    written = io.StringIO()
    log.configure("warning", "json", written)
    async with serve(application(store, Clock()), "127.0.0.1", 0) as port:
        for wait_s in (0.0, 0.01, 0.05):
            client = socket.create_connection(("127.0.0.1", port))
            client.sendall(REQUESTS[name])
            await asyncio.sleep(wait_s)  # the moment of the reset, from before to after a response
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
            await asyncio.sleep(0.01)
    assert written.getvalue() == ""
