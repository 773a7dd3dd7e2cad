"""Sends one message to one receiver, once: the outcome is a value, never an exception.

Whatever the receiver does costs one time-out of this webhook: redirects are not followed,
certificates are verified, cookies and proxies are not used, and of a response only the status and
a few kilobytes are read. No reason contains the address, which may be a secret.
"""

import asyncio
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress

import aiohttp

from realtime.auth.webhook_signature import decode_webhook_secret, sign_webhook
from realtime.config.settings import WebhookSettings
from realtime.notify.address_guard import AddressNotAllowed, MakeConnector
from realtime.notify.delivery_queue import Failure

MAX_RESPONSE_BYTES = 16 * 1024
"""Read so that the connection can be used again; after more it is closed."""

THROTTLED = frozenset({408, 425, 429, 502, 503, 504})
"""Not an answer to the message but a state of the receiver or of a proxy before it."""


class WebhookClient:
    """The connection to one receiver. `clock` gives epoch seconds by the wall clock."""

    def __init__(
        self,
        settings: WebhookSettings,
        make_connector: MakeConnector,
        clock: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._keys = decode_secrets(settings)
        self._tls = _make_tls(settings.authorities)
        self._session = aiohttp.ClientSession(
            connector=make_connector(settings.allow_host is None),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=settings.timeout_s),
            auto_decompress=False,
            skip_auto_headers=("User-Agent", "Accept-Encoding"),
        )

    async def send(self, message_id: str, body: bytes) -> Failure | None:
        """Send a message; None: the receiver has confirmed it with a status of 200 to 299."""
        timestamp = int(self._clock())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "realtime",
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign_webhook(self._keys, message_id, timestamp, body),
        }
        try:
            async with self._session.post(
                self._settings.url.reveal(),
                data=body,
                headers=headers,
                allow_redirects=False,
                ssl=self._tls,
            ) as response:
                await _discard_body(response)
                return judge(response.status, response.headers.get("Retry-After"))
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Failure("unreachable", self._describe(error))

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    def _describe(self, error: Exception) -> str:
        """What went wrong, in words of ours: those of a library may contain the address."""
        cause: BaseException | None = error
        while cause is not None:
            match cause:
                case AddressNotAllowed():
                    return f"{cause}; to allow it, set `allow_host` of this webhook"
                case aiohttp.ClientConnectorCertificateError():
                    reason = getattr(cause.certificate_error, "verify_message", "not valid")
                    return f"invalid certificate: {reason}"
                case ssl.SSLError():
                    return "no TLS connection"
            cause = getattr(cause, "os_error", None) or cause.__cause__ or cause.__context__
        match error:
            case TimeoutError():
                return f"no response within {self._settings.timeout_s} s"
            case aiohttp.ClientConnectorDNSError():
                return "the host is not found in DNS"
            case aiohttp.ClientConnectorError() if _is_refused_address(error):
                return "every address is on this machine or a private network; see `allow_host`"
            case aiohttp.ClientConnectorError():
                return f"not connected: {error.os_error.strerror or 'connection failed'}"
            case aiohttp.ServerDisconnectedError() | ConnectionError():
                return "the connection was closed before the response"
            case aiohttp.ClientPayloadError():
                return "the response is incomplete"
            case _:
                return f"no usable response ({type(error).__name__})"


def decode_secrets(settings: WebhookSettings) -> Sequence[bytes]:
    """The keys that sign; the first is the newer one."""
    return [decode_webhook_secret(secret.reveal()) for secret in settings.secrets]


def _make_tls(authorities: str | None) -> ssl.SSLContext | bool:
    """Verify certificates by these authorities alone; by those of the connector without them."""
    return True if authorities is None else ssl.create_default_context(cadata=authorities)


def judge(status: int, retry_after: str | None) -> Failure | None:
    """What a status means; None: confirmed."""
    if 200 <= status < 300:
        return None
    if status == 410:
        return Failure("gone", "status 410")
    if 300 <= status < 400:
        return Failure("rejected", f"status {status}: redirects are not followed; correct `url`")
    wait_s = float(retry_after) if retry_after and retry_after.isdigit() else None
    if status in THROTTLED:
        return Failure("unreachable", f"status {status}", retry_after_s=wait_s)
    return Failure("rejected", f"status {status}", retry_after_s=wait_s)


async def _discard_body(response: aiohttp.ClientResponse) -> None:
    """Read a little of the body; the connection of a longer or broken one is closed.

    The status has confirmed the message: what follows it does not matter.
    """
    left = MAX_RESPONSE_BYTES
    with suppress(aiohttp.ClientError, OSError, asyncio.TimeoutError):
        while left > 0:
            chunk = await response.content.read(left)
            if not chunk:
                return
            left -= len(chunk)
    response.close()


def _is_refused_address(error: aiohttp.ClientConnectorError) -> bool:
    return "private network" in str(error.os_error)
