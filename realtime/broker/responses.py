"""What an HTTP response of the broker means: status, headers and error bodies, without a socket."""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from msgspec import Struct
from msgspec.json import Decoder

from realtime.broker.lenient_decoder import DECODE_ERRORS, is_json
from realtime.errors import BrokerError, LinkError, RateLimited, Refused

NEW_KEY = (
    "put a valid key of the right kind (paper or real money) into secrets.toml or the "
    "environment, then send SIGHUP"
)


class _ErrorBody(Struct):
    code: int | None = None
    message: str = ""


_ERROR_BODY = Decoder(_ErrorBody, strict=False)


def check(status: int, headers: Mapping[str, str], body: bytes, request: str) -> None:
    """Return for a successful response, raise our error for any other. `request` names it."""
    if 200 <= status < 300:
        return
    problem = _decode_error(body)
    detail = f": {problem.message[:200]}" if problem.message else ""
    fact = f"{request}: {status}{detail}{_request_id(headers)}"
    if status == 429:
        raise RateLimited(fact, retry_after_s=retry_after_s(headers))
    if status == 401 or (status == 403 and not is_order_rejection(problem.code)):
        raise Refused(fact, remedy=NEW_KEY)
    # 408 is a time-out on the way: like a 504, it does not say what the broker did.
    if status >= 500 or status < 400 or status == 408 or not is_json(body):
        raise LinkError(fact, status=status)
    raise BrokerError(fact, status=status, code=problem.code, body=body)


def is_order_rejection(code: int | None) -> bool:
    """Whether the code of a 403 rejects an order (403xxxxx) and not the key."""
    return code is not None and code // 100_000 == 403


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return the seconds after which the broker allows a retry, if it reports them."""
    header = headers.get("Retry-After")
    seconds = parse_integer(header)
    if seconds is not None:
        return float(seconds)
    at, now = parse_date(header), parse_date(headers.get("Date"))
    if at is not None and now is not None:
        return max(0.0, at - now)
    return reset_in_s(headers)


def reset_in_s(headers: Mapping[str, str]) -> float | None:
    """Return the seconds until the rate limit resets, by the broker's own clock."""
    reset, now = parse_integer(headers.get("X-RateLimit-Reset")), parse_date(headers.get("Date"))
    return None if reset is None or now is None else max(0.0, reset - now)


def parse_integer(header: str | None) -> int | None:
    """Parse a header that is a whole number; None if it is not."""
    is_valid = header is not None and header.isascii() and header.isdigit() and len(header) < 16
    return int(header) if header is not None and is_valid else None


def parse_date(header: str | None) -> float | None:
    """Parse an HTTP date to epoch seconds; None if it is not one."""
    try:
        return parsedate_to_datetime(header).timestamp() if header else None
    except (ValueError, TypeError, OverflowError):
        return None


def _decode_error(body: bytes) -> _ErrorBody:
    try:
        return _ERROR_BODY.decode(body)
    except DECODE_ERRORS:
        return _ErrorBody()


def _request_id(headers: Mapping[str, str]) -> str:
    request_id = headers.get("X-Request-ID", "")
    return f" (request {request_id[:64]})" if request_id else ""
