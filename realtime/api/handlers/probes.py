"""The routes that programs ask whether we are well: health, liveness, readiness."""

from typing import Literal

from msgspec import Struct, to_builtins

from realtime.api.context import ApiContext, RequestContext
from realtime.api.documents.document_cache import ENCODER
from realtime.api.documents.health import HealthQuery, health
from realtime.api.handlers.account import SOON_S
from realtime.api.parameters import NoQuery
from realtime.api.problems import Problem
from realtime.api.responses import JSON, ApiResponse

HEADERS = {"Content-Type": JSON, "Cache-Control": "no-store"}


class Probe(Struct, frozen=True):
    """The answer of a probe that is content."""

    status: Literal["alive", "ready"]


def answer_health(desk: ApiContext, _: RequestContext, query: HealthQuery) -> ApiResponse:
    """The fleet's health. With `strict`, anything but `ok` is 503 and carries the document."""
    census, is_ready = desk.census()
    document = health(
        census,
        is_ready=is_ready,
        version=desk.version,
        started_at=desk.started_at,
        now=desk.clock(),
    )
    if query.strict and document.status != "ok":
        raise Problem(
            document.status,
            f"{census.connected} of {census.enabled} accounts live, {census.stale} stale",
            headers={"Retry-After": str(SOON_S)},
            members={"health": to_builtins(document)},
        )
    return ApiResponse(body=ENCODER.encode(document), headers=HEADERS)


def answer_livez(desk: ApiContext, call: RequestContext, _: NoQuery) -> ApiResponse:
    """The event loop turns: that is all this says."""
    return ApiResponse(body=ENCODER.encode(Probe("alive")), headers=HEADERS)


def answer_readyz(desk: ApiContext, call: RequestContext, _: NoQuery) -> ApiResponse:
    """Every enabled account has been tried once: read, or failed with a reason to show."""
    census, is_ready = desk.census()
    if not is_ready:
        raise Problem(
            "starting",
            f"{census.enabled - census.untried} of {census.enabled} accounts loaded",
            headers={"Retry-After": str(SOON_S)},
        )
    return ApiResponse(body=ENCODER.encode(Probe("ready")), headers=HEADERS)
