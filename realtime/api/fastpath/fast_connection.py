"""A connection that answers heads it has a plan for by itself, and leaves the rest to aiohttp.

Why this is safe, in five steps:

1. It acts only *between* requests: aiohttp's loop waits for one (`_waiter` is pending), nothing is
   queued, upgraded, closing or held back, and the parser has no half of a head in it.
2. It acts only on bytes that are, as a whole and letter for letter, a head that aiohttp has served
   before on such an occasion: one message, no body, kept alive. So it never parses HTTP: split,
   pipelined, longer or unusual requests are simply other bytes, and go to aiohttp.
3. What it writes is what aiohttp would write (`server.plans` checks that before it remembers).
4. After it, everything stands as after an answer of aiohttp's: requests are counted, the keep-alive
   clock starts again, the connection waits for the next request.
5. The parser is fed every byte that this does not answer, in order.

How the parser is known to be empty: the last bytes it was fed end with an empty line. A head ends
with its first empty line, so no half of a head ends so; and while a body is incomplete, aiohttp is
not waiting for a request.

This leans on what `LEANS_ON` lists, which is looked for at start-up.
"""

from typing import Any

from aiohttp import HttpVersion11, web
from aiohttp.streams import EMPTY_PAYLOAD

from realtime.api.fastpath.connection import Connection
from realtime.api.fastpath.response_cache import MAX_HEAD, MEANING, ResponseCache

LEANS_ON: dict[type, tuple[str, ...]] = {
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

END = b"\r\n\r\n"


def missing(server: web.Server) -> list[str]:
    """What this leans on and the installed aiohttp does not have."""
    names = [
        f"{owner.__name__}.{name}"
        for owner, names in LEANS_ON.items()
        for name in names
        if not hasattr(owner, name)
    ]
    return names if hasattr(server, "requests_count") else [*names, "Server.requests_count"]


class FastConnection(Connection):
    """One reader's connection, and the plans that all connections share."""

    __slots__ = ("_head", "_is_parser_empty", "_plans")

    def __init__(self, plans: ResponseCache, manager: web.Server, **settings: Any) -> None:
        super().__init__(manager, **settings)
        self._plans = plans
        self._is_parser_empty = True
        self._head: bytes | None = None
        """The head whose request is being served, if it is one that may be remembered."""

    def data_received(self, data: bytes) -> None:
        """Answer a head that has a plan; give aiohttp everything else."""
        if len(data) > MAX_HEAD or not self._is_between_requests():
            self._feed(data)
            return
        began = self._requests.timer()
        reply = self._plans.reply(data)
        if reply is not None:
            self._say(reply)
            self._requests.remembered.note(self._requests.timer() - began)
        else:
            self._feed_first(data)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Let aiohttp write the answer; remember what its request meant."""
        head, self._head = self._head, None
        response, is_cut = await super().finish_response(request, resp, start_time)
        if head is not None and not is_cut:
            self._learn(head, request, response)
        return response, is_cut

    def _is_between_requests(self) -> bool:
        waiter, transport = self._waiter, self.transport
        return (
            waiter is not None
            and not waiter.done()
            and self._is_parser_empty
            and transport is not None
            and not transport.is_closing()
            and self._keepalive_handle is not None
            and self._payload_parser is None
            and not (
                self._messages or self._upgraded or self._paused or self._close or self._force_close
            )
        )

    def _feed(self, data: bytes) -> None:
        super().data_received(data)
        if data:  # aiohttp itself calls with nothing to have its own buffers looked at again
            self._is_parser_empty = data.endswith(END)

    def _feed_first(self, data: bytes) -> None:
        """Feed bytes that come between requests; note them if they are one head and no more."""
        count = self._request_count
        self._feed(data)
        is_one = self._request_count == count + 1 and len(self._messages) == 1
        # Behind an upgrade everything waits, unparsed: it may be more than one head.
        is_whole = self._is_parser_empty and not self._upgraded
        if is_one and is_whole and self._messages[0][1] is EMPTY_PAYLOAD:
            self._head = data

    def _say(self, reply: bytes) -> None:
        assert self.transport is not None, "between requests there is a transport"
        assert self._manager is not None, "and a server"
        self.transport.write(reply)
        self._request_count += 1
        self._manager.requests_count += 1
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout

    def _learn(self, head: bytes, request: web.BaseRequest, response: web.StreamResponse) -> None:
        meaning = request.get(MEANING)
        is_plain = (
            request.method == "GET"
            and request.version == HttpVersion11
            and type(response) is web.Response
            and response.status in (200, 304)
            and response.keep_alive
            and not response.compression
            and "Expect" not in request.headers  # it was answered with two heads
        )
        if meaning is not None and is_plain:
            lines = [f"HTTP/1.1 {response.status} {response.reason}"]
            lines += [f"{name}: {value}" for name, value in response.headers.items()]
            theirs = "\r\n".join([*lines, "", ""]).encode()
            self._plans.learn(head, meaning, theirs, response.headers["Date"])
