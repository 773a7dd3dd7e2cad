"""Handlers of the routes for monitoring: health, liveness, readiness, metrics."""

from typing import Literal

from msgspec import Struct, to_builtins

from realtime.api.context import RequestContext
from realtime.api.documents.document_cache import ENCODER
from realtime.api.documents.health import HealthQuery, make_health
from realtime.api.handlers.account import SOON_S
from realtime.api.parameters import NoQuery
from realtime.api.problems import Problem
from realtime.api.responses import JSON, ApiResponse

HEADERS = {"Content-Type": JSON, "Cache-Control": "no-store"}


class Probe(Struct, frozen=True):
    """The response of a probe that succeeds."""

    status: Literal["alive", "ready"]


def get_health(request: RequestContext[HealthQuery]) -> ApiResponse:
    """The fleet's health. With `strict`, anything but `ok` is a 503 with the document in it."""
    context = request.context
    progress = context.count_fleet()
    counts = progress.counts
    document = make_health(
        counts,
        is_started=progress.is_started,
        version=context.version,
        started_at=context.started_at,
        now=context.clock(),
        history=None if context.history is None else context.history.status(),
    )
    if request.query.strict and document.status != "ok":
        raise Problem(
            document.status,
            f"{counts.connected} of {counts.enabled} accounts synced, {counts.stale} stale",
            headers={"Retry-After": str(SOON_S)},
            members={"health": to_builtins(document)},
        )
    return ApiResponse(body=ENCODER.encode(document), headers=HEADERS)


def get_livez(request: RequestContext[NoQuery]) -> ApiResponse:
    """The event loop runs: this response states nothing else."""
    return ApiResponse(body=ENCODER.encode(Probe("alive")), headers=HEADERS)


def get_readyz(request: RequestContext[NoQuery]) -> ApiResponse:
    """There is data: every enabled account was read once, except those that are refused."""
    progress = request.context.count_fleet()
    counts = progress.counts
    cluster = request.context.cluster
    if cluster is not None and not cluster.is_complete and not progress.is_ready:
        raise Problem(
            "starting",
            f"not received from all owners yet: {cluster.missing}",
            headers={"Retry-After": str(SOON_S)},
        )
    if not progress.is_ready:
        raise Problem(
            "degraded" if progress.is_started else "starting",
            f"{counts.with_data} of {counts.enabled} accounts have data",
            headers={"Retry-After": str(SOON_S)},
        )
    return ApiResponse(body=ENCODER.encode(Probe("ready")), headers=HEADERS)


def get_metrics(request: RequestContext[NoQuery]) -> ApiResponse:
    """The daemon's metrics, in the format that a Prometheus server accepts."""
    body, content_type = request.context.metrics.expose(request.accept, request.context.store)
    return ApiResponse(
        body=body, headers={"Content-Type": content_type, "Cache-Control": "no-store"}
    )
