"""Faults of REST answers."""

from realtime.simulator.faults.base import Duration, RequestFault, Seconds, Status


class RateLimited(RequestFault, frozen=True, kw_only=True, tag="rate_limited"):
    """Answer 429; with `headers` false without any X-RateLimit header."""

    headers: bool = True


class Unauthorized(RequestFault, frozen=True, kw_only=True, tag="unauthorized"):
    """Answer 401 as JSON, or as a proxy's page when `html`."""

    html: bool = False


class ServerError(RequestFault, frozen=True, kw_only=True, tag="server_error"):
    """Answer with this `status`, and do nothing: 500 is JSON, 502 to 504 are a proxy's pages."""

    status: Status = 503


class Latency(RequestFault, frozen=True, kw_only=True, tag="latency"):
    """Wait `seconds`, plus up to `jitter_s` by seeded chance, before the request is looked at."""

    seconds: Seconds = 1.0
    jitter_s: Seconds = 0.0


class NoAnswer(RequestFault, frozen=True, kw_only=True, tag="no_answer"):
    """Never answer; `performed` says whether the request is carried out first."""

    performed: bool = False


class AcceptedBut504(RequestFault, frozen=True, kw_only=True, tag="accepted_but_504"):
    """Carry out a POST, PATCH or DELETE, then answer 504."""


class LaggingPositions(RequestFault, frozen=True, kw_only=True, tag="lagging_positions"):
    """Positions are told as they were `seconds` ago."""

    seconds: Duration = 10.0


class LaggingActivities(RequestFault, frozen=True, kw_only=True, tag="lagging_activities"):
    """Activities of the last `seconds` are not told yet."""

    seconds: Duration = 5.0


class StaleOrders(RequestFault, frozen=True, kw_only=True, tag="stale_orders"):
    """The order list is told as it was `seconds` ago; an order asked for by id is fresh."""

    seconds: Duration = 10.0


FAULT_TYPES: tuple[type[RequestFault], ...] = (
    RateLimited, Unauthorized, ServerError, Latency, NoAnswer, AcceptedBut504, LaggingPositions,
    LaggingActivities, StaleOrders,
)  # fmt: skip
