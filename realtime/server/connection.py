"""One reader's connection: what goes wrong outside of any route is answered as a problem, too.

aiohttp answers bytes that are not HTTP, lines that are too long and unknown expectations before
the application is asked. This leans on `RequestHandler.handle_error` and `.finish_response`; the
tests of malformed requests fail if these move.
"""

from aiohttp import http_exceptions, web

from realtime.logs import get_logger
from realtime.server.answers import response
from realtime.server.endpoints import problem_of
from realtime.server.problems import Problem

log = get_logger()


class Connection(web.RequestHandler):
    """aiohttp's connection with our words for errors."""

    __slots__ = ()

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
        refused = response(_of_parser(status, exc).answer())
        refused.force_close()
        return refused

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Write an answer; one that the library raised outside of the routes in our shape."""
        if isinstance(resp, web.HTTPException) and resp.status >= 400:
            resp = response(problem_of(resp, request).answer(request.path))
        return await super().finish_response(request, resp, start_time)


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
