"""One reader's connection: what goes wrong outside of any route is answered as a problem, too.

aiohttp answers bytes that are not HTTP, lines that are too long and unknown expectations before
the application is asked. This leans on `RequestHandler.handle_error` and `.finish_response`, and
on `_paused`, `_waiter`, `_request_count`; the tests of malformed and of slow requests fail if these
move.
"""

import asyncio
from typing import Any

from aiohttp import http_exceptions, web

from realtime.api.dispatch import to_problem
from realtime.api.problems import Problem
from realtime.api.responses import make_response
from realtime.telemetry.log import get_logger
from realtime.telemetry.request_stats import RequestStats

log = get_logger()


class Connection(web.RequestHandler):
    """aiohttp's connection with our words for errors, counted and watched."""

    __slots__ = ("_address", "_is_head_begun", "_requests")

    def __init__(self, manager: web.Server, **settings: Any) -> None:
        super().__init__(manager, **settings)
        self._address: str | None = None
        """Where it comes from, once it has been counted."""
        self._is_head_begun = False
        self._requests: RequestStats = getattr(manager, "requests", None) or RequestStats()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count a connection; one too many of its address is cut before it says anything."""
        super().connection_made(transport)
        connection_limiter = getattr(self._manager, "connection_limiter", None)
        peer = transport.get_extra_info("peername")
        if connection_limiter is None or not isinstance(peer, tuple):
            return
        if connection_limiter.addresses.enter(peer[0]):
            self._address = peer[0]
        else:
            self.cut()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Count it out."""
        connection_limiter = getattr(self._manager, "connection_limiter", None)
        super().connection_lost(exc)
        if connection_limiter is not None and self._address is not None:
            connection_limiter.addresses.leave(self._address)
            self._address = None

    def data_received(self, data: bytes) -> None:
        """Feed the parser, noting whether a head is left unfinished."""
        super().data_received(data)
        if data:
            self._is_head_begun = not data.endswith(b"\r\n\r\n")

    @property
    def waits_for(self) -> tuple[str, int, int] | None:
        """What the other end owes: see `limits.Watched`."""
        if self._paused and self.transport is not None:
            return ("reading", self._request_count, self.transport.get_write_buffer_size())
        is_idle = self._waiter is not None and not self._waiter.done()
        return ("head", self._request_count, 0) if is_idle and self._is_head_begun else None

    def cut(self) -> None:
        """End the connection at once."""
        if self.transport is not None:
            self.transport.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what never became a request, or broke on its way out; then close."""
        if status >= 500:
            log.error("server.failed", path=request.path, exc_info=exc)
        else:
            # Its kind only: the words may hold a token that stood in the address.
            log.debug("request.malformed", reason=type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has begun; only closing can tell the reader now")
        refused = make_response(_of_parser(status, exc).answer())
        refused.force_close()
        return refused

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Write an answer; one that the library raised outside of the routes in our shape."""
        if isinstance(resp, web.HTTPException) and resp.status >= 400:
            resp = make_response(to_problem(resp, request).answer(request.path))
        finished = await super().finish_response(request, resp, start_time)
        self._requests.answered(request, finished[0])
        return finished


def _of_parser(status: int, exc: BaseException | None) -> Problem:
    if status >= 500:
        return Problem("failed", "unexpected")
    if isinstance(exc, http_exceptions.LineTooLong):
        line, limit, *_ = exc.args
        raw = line.encode() if isinstance(line, str) else bytes(line)
        is_target = raw.startswith((b"/", b"http"))
        code = "uri_too_long" if is_target else "headers_too_large"
        return Problem(code, f"no line may be longer than {limit} bytes")
    return Problem("malformed_request", "the request could not be read")
