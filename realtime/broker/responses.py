"""What an HTTP response of the broker means: status, headers and error bodies, without a socket."""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime

import msgspec
from msgspec import Struct
from msgspec.json import Decoder

from realtime.broker.lenient_decoder import DECODE_ERRORS, is_json
from realtime.errors import BrokerError, KeyRejected, LinkError, RateLimited

NEW_KEY = (
    "put a valid key of the right kind (paper or real money) into secrets.toml, then run `realtime "
    "reload`; a key in the environment needs a restart of the daemon"
)


GATEWAY = (
    "a proxy, a gateway or a login page on the way to the broker answered in its place; check "
    "HTTPS_PROXY, VPN and firewall, and trading_url"
)
"""Remedy where the response is not the broker's own JSON."""


MAX_ERROR_BYTES = 16 * 1024
"""An error is passed on to the client as it came, up to this size; the broker's have 300 bytes."""


class _ErrorBody(Struct):
    code: int | None = None
    message: str = ""

    @property
    def is_brokers(self) -> bool:
        """Whether it has the members of the broker's error, and is not something else's JSON."""
        return self.code is not None or bool(self.message)


_ERROR_BODY = Decoder(_ErrorBody, strict=False)


def check(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    request: str,
    request_id: str | None = None,
) -> None:
    """Return for a successful response, raise our error for any other.

    `request` names it. `body` and `request_id` have been sanitized.
    """
    if 200 <= status < 300:
        return
    problem = _decode_error(body)
    detail = f": {problem.message[:200]}" if problem.message else ""
    suffix = f" (request {request_id})" if request_id else ""
    fact = f"{request}: {status}{detail}{suffix}"
    # 1. Too many requests, by the count of the broker or of a gateway.
    if status == 429:
        raise RateLimited(fact, retry_after_s=retry_after_s(headers))
    # 2. The broker's own rejection of the key. A block page of a CDN, a login page of a proxy and a
    #    restarting gateway use the same statuses, but not the broker's JSON.
    is_credentials = status == 401 or (status == 403 and not is_order_rejection(problem.code))
    if is_credentials and problem.is_brokers:
        raise KeyRejected(fact, remedy=NEW_KEY)
    # 3. Not the broker's own response: it does not say what the broker did.
    has_failed = status >= 500 or status == 408
    if is_credentials or status < 400 or not (has_failed or is_json(body)):
        raise LinkError(fact, status=status, remedy=GATEWAY)
    # 4. The broker failed, or its response timed out on the way (408, 504): the same.
    if has_failed:
        raise LinkError(fact, status=status)
    # 5. The broker's own rejection of the request.
    raise BrokerError(fact, status=status, code=problem.code, body=_bounded(body, problem))


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


def _bounded(body: bytes, problem: _ErrorBody) -> bytes:
    """Return the body as it came; of a very long one only code and message, both bounded."""
    if len(body) <= MAX_ERROR_BYTES:
        return body
    return msgspec.json.encode({"code": problem.code, "message": problem.message[:1000]})
