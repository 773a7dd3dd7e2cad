"""One request to an owner over its mesh, and never a second time.

Always by POST: the HTTP library repeats other methods by itself when a connection breaks.
"""

import ssl
from collections.abc import Mapping

import aiohttp
from yarl import URL

from realtime.cluster.mesh import SECRET_HEADER, describe_os_error
from realtime.secret import Secret

FORWARD_PATH = "/cluster/forward"
"""Followed by the path and the query of the request."""

METHOD_HEADER = "X-Realtime-Method"

TIMEOUT_S = 75.0
"""A close may wait for 60 s."""

CONNECT_TIMEOUT_S = 2.0
MAX_RESPONSE_BYTES = 16 * 1024 * 1024

KEPT_HEADERS = frozenset(
    {"content-type", "cache-control", "retry-after", "www-authenticate", "idempotency-replayed"}
)
"""Of the owner's response, beside those that begin with `X-`."""


class NotSent(Exception):
    """No connection: the owner has nothing of the request."""


class ResponseLost(Exception):
    """The owner may have the request."""


async def send_to_owner(
    session: aiohttp.ClientSession,
    address: str,
    *,
    method: str,
    target: str,
    body: bytes,
    headers: Mapping[str, str],
    secret: Secret,
    tls: ssl.SSLContext | None,
) -> tuple[int, bytes, dict[str, str]]:
    """The owner's status, body and headers. Raises `NotSent` or `ResponseLost`."""
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S, sock_connect=CONNECT_TIMEOUT_S)
    sent = {**headers, SECRET_HEADER: secret.reveal(), METHOD_HEADER: method}
    try:
        async with session.post(
            URL(address + FORWARD_PATH + target, encoded=True),
            data=body,
            headers=sent,
            allow_redirects=False,
            timeout=timeout,
            ssl=True if tls is None else tls,
        ) as response:
            if response.status in (401, 404) and METHOD_HEADER not in response.headers:
                raise NotSent(f"it does not accept requests of fronts (status {response.status})")
            content = await response.content.read(MAX_RESPONSE_BYTES + 1)
            while not response.content.at_eof():
                content += await response.content.read(MAX_RESPONSE_BYTES + 1)
                if len(content) > MAX_RESPONSE_BYTES:
                    raise ResponseLost("the response is too large")
            kept = {
                name: value
                for name, value in response.headers.items()
                if name.lower() in KEPT_HEADERS or name.lower().startswith("x-")
            }
            kept.pop(METHOD_HEADER, None)
            return response.status, content, kept
    except aiohttp.ConnectionTimeoutError as error:
        raise NotSent("no connection within 2 s") from error
    except aiohttp.ClientConnectorError as error:
        raise NotSent(describe_os_error(error.os_error)) from error
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise ResponseLost(str(error)[:200] or type(error).__name__) from error
