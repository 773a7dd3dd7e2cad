"""Responses that do not end, such as the broker's event streams: passed on while they arrive.

Nothing is buffered: the broker is read as fast as the client reads. A stream that breaks at the
broker breaks at the client, too, because an orderly end may mean that there are no more events.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

from aiohttp import web

from realtime.api.alpaca.errors import AlpacaError, declined_response, error_response
from realtime.api.alpaca.forwarding import (
    GATEWAY_STATUSES,
    build_request,
    find_owner_refusal,
    gateway_error,
    response_headers,
)
from realtime.api.alpaca.requests import AlpacaRequest
from realtime.api.responses import COMMON_HEADERS
from realtime.errors import LinkError
from realtime.orders.errors import Declined
from realtime.orders.forwarding import StreamedResponse

EVENT_STREAM = "text/event-stream"

MAX_STREAMS = 10
"""Open streams of one account. Each is a connection to the broker."""

CHECK_INTERVAL_S = 5.0
"""How often a silent stream is checked for a client that has left, or may not read any more."""

WRITE_TIMEOUT_S = 30.0
"""A client that has not read what was sent by then is disconnected."""


def is_stream_request(request: AlpacaRequest) -> bool:
    """Whether the response to a read may be endless: of Alpaca's paths, those of events."""
    accepts = EVENT_STREAM in request.headers.get("Accept", "")
    return request.method == "GET" and (accepts or "events" in request.target.segments)


class ForwardedStreams:
    """The streams that are open now."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()
        self._closing = asyncio.Event()

    def close(self) -> None:
        """End every stream: the daemon stops."""
        self._closing.set()

    async def serve(
        self,
        http_request: web.Request,
        request: AlpacaRequest,
        is_allowed: Callable[[], bool],
        *,
        needs_success: bool = False,
    ) -> web.StreamResponse | None:
        """Pass on a read until either side ends it. Raises `AlpacaError` before the first byte.

        With `needs_success`, return None for a response of the broker that is an error.
        """
        label = request.label
        refusal = find_owner_refusal(request)
        if refusal is not None:
            raise AlpacaError(refusal)
        if self._open[label] >= MAX_STREAMS:
            raise AlpacaError(error_response(429, f"{MAX_STREAMS} streams of the account are open"))
        self._open[label] += 1
        try:
            forwarder = request.context.trading.forwarder
            async with forwarder.open_stream(label, build_request(request)) as upstream:
                if needs_success and upstream.status != 200:
                    return None
                if upstream.status in GATEWAY_STATUSES:
                    raise AlpacaError(gateway_error(upstream.status))
                headers = {**COMMON_HEADERS, **response_headers(request, upstream.headers)}
                response = web.StreamResponse(status=upstream.status, headers=headers)
                response.headers["X-Accel-Buffering"] = "no"
                with suppress(ConnectionError):  # the client has left
                    await response.prepare(http_request)
                    if not await self._pass_on(upstream, response, http_request, is_allowed):
                        _abort(http_request)
                return response
        except Declined as error:
            raise AlpacaError(declined_response(error)) from error
        finally:
            self._open[label] -= 1

    async def _pass_on(
        self,
        upstream: StreamedResponse,
        response: web.StreamResponse,
        http_request: web.Request,
        is_allowed: Callable[[], bool],
    ) -> bool:
        """Return whether the stream ended in order. Raises `ConnectionError` if the client left."""
        while is_allowed() and not self._closing.is_set():
            if http_request.transport is None or http_request.transport.is_closing():
                raise ConnectionError
            try:
                async with asyncio.timeout(CHECK_INTERVAL_S):
                    chunk = await upstream.read_chunk()
            except TimeoutError:
                continue
            except LinkError:
                return False
            if not chunk:
                return True
            try:
                async with asyncio.timeout(WRITE_TIMEOUT_S):
                    await response.write(chunk)
            except TimeoutError:
                return False
        return False


def _abort(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
