"""The address where other members connect: everything there requires the fleet's secret."""

import os
from collections.abc import Callable, Sequence

from aiohttp import web
from aiohttp.typedefs import Handler

from realtime.secret import Secret
from realtime.telemetry.log import get_logger

log = get_logger()

SECRET_HEADER = "X-Realtime-Mesh-Secret"

REPORT_INTERVAL_S = 10.0
"""At most one line about rejected requests in this time."""

MAX_BODY_BYTES = 2 * 1024 * 1024


class MeshGate:
    """Rejects requests without the secret. `clock` gives seconds that never step back."""

    def __init__(self, secrets: Sequence[Secret], clock: Callable[[], float]) -> None:
        self._secrets = tuple(secrets)
        self._clock = clock
        self.rejected = 0
        self._suppressed = 0
        self._reported_at: float | None = None

    def allows(self, request: web.Request) -> bool:
        """Whether the request has one secret, and it is one of ours; in constant time for each."""
        sent = request.headers.getall(SECRET_HEADER, ())
        matches = [secret.matches(sent[0]) for secret in self._secrets if len(sent) == 1]
        return any(matches)

    def report(self, request: web.Request) -> None:
        """Count a rejected request, and log it unless one was logged just now."""
        self.rejected += 1
        now = self._clock()
        if self._reported_at is not None and now - self._reported_at < REPORT_INTERVAL_S:
            self._suppressed += 1
            return
        self._reported_at = now
        log.warning("mesh.rejected", address=request.remote, suppressed=self._suppressed)
        self._suppressed = 0


def make_mesh_application(gate: MeshGate) -> web.Application:
    """An application without routes that answers 401 to every request without the secret."""

    @web.middleware
    async def check_secret(request: web.Request, handler: Handler) -> web.StreamResponse:
        if gate.allows(request):
            return await handler(request)
        gate.report(request)
        return web.Response(status=401, text="the secret of this fleet is missing or wrong\n")

    return web.Application(middlewares=[check_secret], client_max_size=MAX_BODY_BYTES)


def describe_os_error(error: OSError) -> str:
    """The reason of an error of the system, without an address."""
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno).lower()
    return error.strerror or str(error) or "no connection"
