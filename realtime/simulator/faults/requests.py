"""Faults of REST responses."""

from realtime.simulator.faults.base import Duration, RequestFault, Seconds, Status


class RateLimited(RequestFault, frozen=True, kw_only=True, tag="rate_limited"):
    """Respond with 429; with `headers` false without X-RateLimit headers."""

    headers: bool = True


class Unauthorized(RequestFault, frozen=True, kw_only=True, tag="unauthorized"):
    """Respond with 401 as JSON, or as a proxy's page when `html`."""

    html: bool = False


class ServerError(RequestFault, frozen=True, kw_only=True, tag="server_error"):
    """Respond with this `status` without performing the request.

    500 is JSON, 502 to 504 are a proxy's HTML pages.
    """

    status: Status = 503


class Latency(RequestFault, frozen=True, kw_only=True, tag="latency"):
    """Wait `seconds` plus up to `jitter_s` (seeded) before the request is handled."""

    seconds: Seconds = 1.0
    jitter_s: Seconds = 0.0


class NoAnswer(RequestFault, frozen=True, kw_only=True, tag="no_answer"):
    """Never respond; with `performed` the request is carried out first."""

    performed: bool = False


class AcceptedBut504(RequestFault, frozen=True, kw_only=True, tag="accepted_but_504"):
    """Carry out a POST, PATCH or DELETE, then respond with 504."""


class LaggingPositions(RequestFault, frozen=True, kw_only=True, tag="lagging_positions"):
    """Return positions as they were `seconds` ago."""

    seconds: Duration = 10.0


class LaggingActivities(RequestFault, frozen=True, kw_only=True, tag="lagging_activities"):
    """Omit activities of the last `seconds`."""

    seconds: Duration = 5.0


class StaleOrders(RequestFault, frozen=True, kw_only=True, tag="stale_orders"):
    """Return order lists as they were `seconds` ago; an order read by id is fresh."""

    seconds: Duration = 10.0


class ChangedFields(RequestFault, frozen=True, kw_only=True, tag="changed_fields"):
    """Respond as another version of the interface: members of the document, or of each row, are
    `removed`, and others are `added`."""

    removed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()


FAULT_TYPES: tuple[type[RequestFault], ...] = (
    RateLimited, Unauthorized, ServerError, Latency, NoAnswer, AcceptedBut504, LaggingPositions,
    LaggingActivities, StaleOrders, ChangedFields,
)  # fmt: skip
