"""A connection that answers known request heads from the response cache; aiohttp does the rest.

Why this is safe:

1. It acts only *between* requests: aiohttp waits for a request (`_waiter` is pending), nothing is
   queued, upgraded, closing or paused, and the parser holds no partial head.
2. It acts only on bytes that are, as a whole and byte for byte, a head that aiohttp has served
   before in the same situation: one message, no body, persistent connection. So it never parses
   HTTP: split, pipelined, longer or unusual requests are different bytes and go to aiohttp.
3. It writes what aiohttp would write (`ResponseCache.store_request` compares the two heads).
4. Afterwards the connection is as after a response of aiohttp: the request is counted, the
   keep-alive timer starts again, the connection waits for the next request.
5. The parser receives, in order, all bytes that are not answered here.

How we know that the parser is empty: the last bytes that it received end with an empty line. A head
ends with its first empty line, so no partial head ends that way; and while a body is incomplete,
aiohttp does not wait for a request.

This depends on what `AIOHTTP_INTERNALS` lists, which is checked at startup.
"""

import asyncio
from typing import Any

from aiohttp import HttpVersion11, web
from aiohttp.streams import EMPTY_PAYLOAD

from realtime.api.fastpath.connection import Connection
from realtime.api.fastpath.response_cache import MAX_HEAD_BYTES, PARSED_REQUEST, ResponseCache
from realtime.api.security.client_limits import address_group

AIOHTTP_INTERNALS: dict[type, tuple[str, ...]] = {
    web.RequestHandler: (
        "_close",
        "_force_close",
        "_keepalive_handle",
        "_keepalive_timeout",
        "_loop",
        "_manager",
        "_messages",
        "_next_keepalive_close_time",
        "_paused",
        "_payload_parser",
        "_request_count",
        "_upgraded",
        "_waiter",
        "data_received",
        "finish_response",
        "transport",
    ),
    web.Server: ("connection_made",),
}
"""aiohttp's class → its attributes that this file reads, sets or overrides. It also sets
`requests_count` of a server, and expects a request to end with one call of `finish_response`."""

HEAD_END = b"\r\n\r\n"


def find_missing_internals(server: web.Server) -> list[str]:
    """Return the names that this depends on and the installed aiohttp does not have."""
    names = [
        f"{owner.__name__}.{name}"
        for owner, names in AIOHTTP_INTERNALS.items()
        for name in names
        if not hasattr(owner, name)
    ]
    return names if hasattr(server, "requests_count") else [*names, "Server.requests_count"]


class FastConnection(Connection):
    """One client connection; all connections share the response cache."""

    __slots__ = ("_address", "_head", "_is_parser_empty", "_response_cache")

    def __init__(self, cache: ResponseCache, manager: web.Server, **settings: Any) -> None:
        super().__init__(manager, **settings)
        self._response_cache = cache
        self._is_parser_empty = True
        self._address: str | None = None
        """What the client's address is limited by; None: it is not."""
        self._head: bytes | None = None
        """The head that aiohttp is serving now, if it is one that may be cached."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember by what the client's address is limited."""
        super().connection_made(transport)
        peer = transport.get_extra_info("peername")
        self._address = address_group(peer[0]) if isinstance(peer, tuple) else None

    def data_received(self, data: bytes) -> None:
        """Answer a cached head; give aiohttp everything else."""
        # 1. longer than any cached head, or in the middle of a request: aiohttp
        if len(data) > MAX_HEAD_BYTES or not self._is_between_requests():
            self._feed(data)
            return
        started_at = self._requests.timer()
        reply = self._response_cache.get_reply(data, self._address)
        # 2. a cached head with a valid permission: the reply from the cache
        if reply is not None:
            self._write_reply(reply)
            self._requests.cached.observe(self._requests.timer() - started_at)
        # 3. unknown, expired, over its rate, or not 200 any more: aiohttp, and cache it again
        else:
            self._feed_first_head(data)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Let aiohttp write the response; cache the request if that is possible."""
        head, self._head = self._head, None
        response, is_cut = await super().finish_response(request, resp, start_time)
        if head is not None and not is_cut:
            self._store_request(head, request, response)
        return response, is_cut

    def _is_between_requests(self) -> bool:
        waiter, transport = self._waiter, self.transport
        return (
            # aiohttp waits for a request
            waiter is not None
            and not waiter.done()
            # the parser holds no partial head
            and self._is_parser_empty
            # the socket is open
            and transport is not None
            and not transport.is_closing()
            # a response was written before: the keep-alive timer runs
            and self._keepalive_handle is not None
            # no body and no upgraded protocol is being read
            and self._payload_parser is None
            # nothing is queued, upgraded, held back, or about to close
            and not (
                self._messages or self._upgraded or self._paused or self._close or self._force_close
            )
        )

    def _feed(self, data: bytes) -> None:
        super().data_received(data)
        if data:  # aiohttp itself calls with no data to have its own buffers processed
            self._is_parser_empty = data.endswith(HEAD_END)

    def _feed_first_head(self, data: bytes) -> None:
        """Feed bytes that arrived between requests; remember them if they are exactly one head."""
        count = self._request_count
        self._feed(data)
        is_one = self._request_count == count + 1 and len(self._messages) == 1
        # After an upgrade everything is queued unparsed: it may be more than one head.
        is_whole = self._is_parser_empty and not self._upgraded
        if is_one and is_whole and self._messages[0][1] is EMPTY_PAYLOAD:
            self._head = data

    def _write_reply(self, reply: bytes) -> None:
        assert self.transport is not None, "between requests there is a transport"
        assert self._manager is not None, "and a server"
        self.transport.write(reply)
        self._request_count += 1
        self._manager.requests_count += 1
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout

    def _store_request(
        self, head: bytes, request: web.BaseRequest, response: web.StreamResponse
    ) -> None:
        parsed = request.get(PARSED_REQUEST)
        is_plain = (
            request.method == "GET"
            and request.version == HttpVersion11
            and type(response) is web.Response
            and response.status in (200, 304)
            and response.keep_alive
            and not response.compression
            and "Expect" not in request.headers  # it was answered with two heads
        )
        if parsed is not None and is_plain:
            lines = [f"HTTP/1.1 {response.status} {response.reason}"]
            lines += [f"{name}: {value}" for name, value in response.headers.items()]
            library_head = "\r\n".join([*lines, "", ""]).encode()
            date = response.headers["Date"]
            self._response_cache.store_request(head, parsed, library_head, date)
