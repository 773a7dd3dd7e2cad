"""What an HTTP answer of the broker means: status, headers and error bodies, without a socket."""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from msgspec import Struct
from msgspec.json import Decoder

from realtime.broker.lenient_decoder import MISFIT, is_json
from realtime.errors import BrokerError, LinkError, RateLimited, Refused

NEW_KEY = (
    "put a valid key, of the right kind (paper or live), into secrets.toml or the environment, "
    "then send SIGHUP"
)


class _Problem(Struct):
    code: int | None = None
    message: str = ""


_PROBLEM = Decoder(_Problem, strict=False)


def check(status: int, headers: Mapping[str, str], body: bytes, what: str) -> None:
    """Return for a good answer, raise our error for any other. `what` names the request."""
    if 200 <= status < 300:
        return
    problem = _problem(body)
    said = (
        f"{what}: {status}{': ' + problem.message[:200] if problem.message else ''}{_id(headers)}"
    )
    if status == 429:
        raise RateLimited(said, retry_after_s=retry_after_s(headers))
    if status == 401 or (status == 403 and not is_refusal_of_order(problem.code)):
        raise Refused(said, remedy=NEW_KEY)
    # A time-out in between (408) says as little of what the broker did as a 504.
    if status >= 500 or status < 400 or status == 408 or not is_json(body):
        raise LinkError(said, status=status)
    raise BrokerError(said, status=status, code=problem.code, body=body)


def is_refusal_of_order(code: int | None) -> bool:
    """Whether a code of a 403 speaks of an order (403xxxxx), not of the key."""
    return code is not None and code // 100_000 == 403


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """When to try again, in seconds, if the broker says so."""
    header = headers.get("Retry-After")
    seconds = whole(header)
    if seconds is not None:
        return float(seconds)
    at, now = epoch(header), epoch(headers.get("Date"))
    if at is not None and now is not None:
        return max(0.0, at - now)
    return reset_in_s(headers)


def reset_in_s(headers: Mapping[str, str]) -> float | None:
    """Seconds until the budget is full again, by the broker's own clock."""
    reset, now = whole(headers.get("X-RateLimit-Reset")), epoch(headers.get("Date"))
    return None if reset is None or now is None else max(0.0, reset - now)


def whole(header: str | None) -> int | None:
    """Read a header that is a whole number."""
    fits = header is not None and header.isascii() and header.isdigit() and len(header) < 16
    return int(header) if header is not None and fits else None


def epoch(header: str | None) -> float | None:
    """Read a header that is an HTTP date, as seconds since the epoch."""
    try:
        return parsedate_to_datetime(header).timestamp() if header else None
    except (ValueError, TypeError, OverflowError):
        return None


def _problem(body: bytes) -> _Problem:
    try:
        return _PROBLEM.decode(body)
    except MISFIT:
        return _Problem()


def _id(headers: Mapping[str, str]) -> str:
    request_id = headers.get("X-Request-ID", "")
    return f" (request {request_id[:64]})" if request_id else ""
