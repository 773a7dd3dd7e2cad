"""The routes about webhooks and notifications: how they go, and sending parked messages again."""

from collections.abc import Iterable
from typing import Annotated, Protocol

import msgspec
from aiohttp import web
from msgspec import Meta, Struct

from realtime.api.documents.notify import NotifyDocument, ResentDocument
from realtime.api.problems import Problem, quote
from realtime.api.responses import JSON, ApiResponse, make_response
from realtime.api.security.authenticator import Access
from realtime.nearest import nearest

STATUS_PATH, RESEND_PATH = "/admin/notify", "/admin/notify/resend"

_encode = msgspec.json.Encoder().encode


class ResendQuery(Struct, frozen=True, kw_only=True):
    """Parameters of sending again."""

    name: Annotated[str, Meta(max_length=200, description="Only this webhook.")] = ""


class NotifyInterface(Protocol):
    """Webhooks and notifications as they run."""

    def get_status(self) -> NotifyDocument | None:
        """How they go; None: none are configured."""

    async def resend(self, names: list[str]) -> int:
        """Send parked messages of webhooks again; returns how many were parked."""


def add_notify(app: web.Application, notify: NotifyInterface, prefixes: Iterable[str]) -> None:
    """Add the routes; `admin` is their permission."""

    def get_status() -> NotifyDocument:
        status = notify.get_status()
        if status is None:
            raise Problem("notify_off", "neither [[webhooks]] nor [[notify]] is configured")
        return status

    async def get_notify(_: web.Request) -> web.StreamResponse:
        return _respond(get_status())

    async def resend(request: web.Request) -> web.StreamResponse:
        known = [row.name for row in get_status().webhooks]
        for parameter in request.query:
            if parameter != "name":
                raise Problem("bad_parameter", f"no such parameter: {quote(parameter)}")
        name = request.query.get("name", "")
        if name and name not in known:
            meant = nearest(name, known)
            raise Problem(
                "unknown_webhook",
                f"no webhook '{quote(name)}'",
                remedy=f"did you mean {meant}?" if meant else None,
            )
        names = [name] if name else known
        return _respond(ResentDocument(webhooks=names, messages=await notify.resend(names)))

    for prefix in prefixes:
        app.router.add_get(prefix + STATUS_PATH, get_notify)
        app.router.add_post(prefix + RESEND_PATH, resend)


def notify_access(prefixes: Iterable[str]) -> dict[str, Access]:
    """Path as the router names it → the permission."""
    return {prefix + path: "admin" for prefix in prefixes for path in (STATUS_PATH, RESEND_PATH)}


def _respond(document: Struct) -> web.Response:
    headers = {"Content-Type": JSON, "Cache-Control": "no-store"}
    return make_response(ApiResponse(body=_encode(document), headers=headers))
