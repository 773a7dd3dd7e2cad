"""One client connection: errors outside of any route become problem documents, too.

aiohttp answers bytes that are not HTTP, lines that are too long and unknown expectations before the
application sees them. This file depends on `RequestHandler.handle_error` and `.finish_response`,
and on `_paused`, `_waiter`, `_request_count`; the tests of malformed and of slow requests fail if
these change.
"""

import asyncio
from typing import Any

from aiohttp import http_exceptions, web

from realtime.api.dispatch import to_problem
from realtime.api.problems import Problem
from realtime.api.responses import make_response
from realtime.api.security.client_limits import PendingTransfer
from realtime.telemetry.log import get_logger
from realtime.telemetry.request_stats import RequestStats

log = get_logger()


class Connection(web.RequestHandler):
    """aiohttp's connection with our error documents, counted and limited."""

    __slots__ = ("_counted_address", "_is_head_incomplete", "_requests")

    def __init__(self, manager: web.Server, **settings: Any) -> None:
        super().__init__(manager, **settings)
        self._counted_address: str | None = None
        self._is_head_incomplete = False
        self._requests: RequestStats = getattr(manager, "requests", None) or RequestStats()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the connection; abort it if its address has too many."""
        super().connection_made(transport)
        connection_limiter = getattr(self._manager, "connection_limiter", None)
        peer = transport.get_extra_info("peername")
        if connection_limiter is None or not isinstance(peer, tuple):
            return
        if connection_limiter.addresses.add(peer[0]):
            self._counted_address = peer[0]
        else:
            self.abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Remove the connection from the count."""
        connection_limiter = getattr(self._manager, "connection_limiter", None)
        super().connection_lost(exc)
        if connection_limiter is not None and self._counted_address is not None:
            connection_limiter.addresses.remove(self._counted_address)
            self._counted_address = None

    def data_received(self, data: bytes) -> None:
        """Feed the parser, and remember whether a request head is incomplete."""
        super().data_received(data)
        if data:
            self._is_head_incomplete = not data.endswith(b"\r\n\r\n")

    @property
    def pending(self) -> PendingTransfer | None:
        """What the client has not sent or not read yet; see `LimitedConnection`."""
        if self._paused and self.transport is not None:
            return ("write", self._request_count, self.transport.get_write_buffer_size())
        is_idle = self._waiter is not None and not self._waiter.done()
        return ("head", self._request_count, 0) if is_idle and self._is_head_incomplete else None

    def abort(self) -> None:
        """Close the connection without waiting for the client."""
        if self.transport is not None:
            self.transport.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer a request that could not be parsed, or that failed while it was written."""
        if status >= 500:
            log.error("server.failed", path=request.path, exc_info=exc)
        else:
            # The type only: the message may hold a token that was part of the address.
            log.debug("request.malformed", reason=type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionError("a response has begun; the connection can only be closed")
        refusal = make_response(_parser_problem(status, exc).answer())
        refusal.force_close()
        return refusal

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Write a response; the library's own errors in our form."""
        if isinstance(resp, web.HTTPException) and resp.status >= 400:
            resp = make_response(to_problem(resp, request).answer(request.path))
        finished = await super().finish_response(request, resp, start_time)
        self._requests.record_response(request, finished[0])
        return finished


def _parser_problem(status: int, error: BaseException | None) -> Problem:
    if status >= 500:
        return Problem("failed", "unexpected")
    if isinstance(error, http_exceptions.LineTooLong):
        line, limit, *_ = error.args
        raw = line.encode() if isinstance(line, str) else bytes(line)
        is_target = raw.startswith((b"/", b"http"))
        code = "uri_too_long" if is_target else "headers_too_large"
        return Problem(code, f"no line may be longer than {limit} bytes")
    return Problem("malformed_request", "the request could not be parsed")
