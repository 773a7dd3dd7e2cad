"""`realtime notify test`: one message to each receiver, without a daemon."""

import secrets
import time
from collections.abc import Sequence

from msgspec import Struct

from realtime.config.settings import NotifySettings, WebhookSettings
from realtime.notify.address_guard import make_connector
from realtime.notify.apprise_sender import AppriseSender
from realtime.notify.delivery_queue import Failure
from realtime.notify.messages import make_test_body
from realtime.notify.webhook_client import WebhookClient


class TrialResult(Struct, frozen=True, kw_only=True):
    """What became of one test message. Nothing in it is secret."""

    name: str
    detail: str = ""
    error: str | None = None
    remedy: str = ""


async def send_tests(
    webhooks: Sequence[WebhookSettings], targets: Sequence[NotifySettings]
) -> list[TrialResult]:
    """Send a message to each, one after another."""
    results = [await _test_webhook(webhook) for webhook in webhooks]
    return results + [await _test_target(target) for target in targets]


async def _test_target(settings: NotifySettings) -> TrialResult:
    failure = await AppriseSender(settings).send("realtime: test", "sent by realtime notify test")
    if failure is None:
        detail = f"{settings.scheme} accepted a message"
        return TrialResult(name=settings.name, detail=detail)
    return TrialResult(
        name=settings.name,
        error=f"{settings.scheme}: {failure.reason}",
        remedy="compare `url` with github.com/caronc/apprise/wiki, and the token with the service",
    )


async def _test_webhook(settings: WebhookSettings) -> TrialResult:
    client = WebhookClient(settings, make_connector, time.time)
    started_at = time.monotonic()
    try:
        failure = await client.send(f"msg_test{secrets.token_hex(8)}", make_test_body(time.time()))
    finally:
        await client.close()
    if failure is None:
        took_ms = (time.monotonic() - started_at) * 1000
        detail = f"{settings.host} confirmed a message of type `test` in {took_ms:.0f} ms"
        return TrialResult(name=settings.name, detail=detail)
    return TrialResult(
        name=settings.name, error=f"{settings.host}: {failure.reason}", remedy=_remedy(failure)
    )


def _remedy(failure: Failure) -> str:
    reason = failure.reason
    for word, remedy in (
        ("status 401", "the receiver does not accept the signature: compare the secrets"),
        ("status 403", "the receiver does not accept the signature: compare the secrets"),
        ("status 404", "correct the path of `url`"),
        ("certificate", "renew the receiver's certificate; it must be valid for the host of `url`"),
        ("DNS", "correct the host of `url`"),
        ("within", "it must respond sooner: confirm first, then work; or raise `timeout_s`"),
        ("not connected", "start the receiver, or correct host and port of `url`"),
    ):
        if word in reason:
            return remedy
    return "" if "allow_host" in reason or "redirects" in reason else "see the receiver's log"
