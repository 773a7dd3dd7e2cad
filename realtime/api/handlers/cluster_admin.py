"""What a person may do about ownership: see it, drain this daemon, let it go on alone."""

from collections.abc import Awaitable, Callable, Iterable

import msgspec
from aiohttp import web

from realtime.api.documents.cluster import EngineDocument
from realtime.api.problems import Problem
from realtime.api.responses import JSON, ApiResponse, make_response
from realtime.api.security.authenticator import PRINCIPAL, Access
from realtime.errors import NotSent

PATHS = ("/admin/cluster", "/admin/cluster/drain", "/admin/cluster/alone")

_encode = msgspec.json.Encoder().encode


class ClusterAdministration:
    """The routes below `/admin/cluster`, with the permission `admin`; only with an engine.

    `drain` and `go_alone` take the name of the principal; the latter raises `NotSent` if the engine
    answers.
    """

    def __init__(
        self,
        get_document: Callable[[], EngineDocument],
        drain: Callable[[str], Awaitable[None]],
        go_alone: Callable[[str], None],
    ) -> None:
        self._get_document = get_document
        self._drain = drain
        self._go_alone = go_alone

    def add_to(self, app: web.Application, prefixes: Iterable[str]) -> None:
        """Give the application the routes."""
        for prefix in prefixes:
            app.router.add_get(prefix + PATHS[0], self._show, allow_head=False)
            app.router.add_post(prefix + PATHS[1], self._start_drain)
            app.router.add_post(prefix + PATHS[2], self._continue_alone)

    async def _show(self, _: web.Request) -> web.StreamResponse:
        return self._respond()

    async def _start_drain(self, request: web.Request) -> web.StreamResponse:
        try:
            await self._drain(request[PRINCIPAL].user_id)
        except NotSent as error:
            raise Problem("engine_unreachable", error.message) from None
        return self._respond()

    async def _continue_alone(self, request: web.Request) -> web.StreamResponse:
        try:
            self._go_alone(request[PRINCIPAL].user_id)
        except NotSent as error:
            raise Problem("engine_reachable", error.message) from None
        return self._respond()

    def _respond(self) -> web.StreamResponse:
        headers = {"Content-Type": JSON, "Cache-Control": "no-store"}
        return make_response(ApiResponse(body=_encode(self._get_document()), headers=headers))


def cluster_admin_access(prefixes: Iterable[str]) -> dict[str, Access]:
    """Path as the router names it → what it wants."""
    return {prefix + path: "admin" for prefix in prefixes for path in PATHS}
