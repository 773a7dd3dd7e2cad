"""Signatures of webhooks by the Standard Webhooks specification (HMAC-SHA256, `v1`).

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
Signed are id, time of the attempt and body, so that none of them can be exchanged or replayed.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

from realtime.errors import ConfigError

PREFIX = "whsec_"
MIN_KEY_BYTES, MAX_KEY_BYTES = 24, 64
"""The specification's "at least 24 bytes (192 bits, 512 maximum)"."""

REMEDY = "make one: python3 -c \"import base64,os; print('whsec_' + base64.b64encode(os.urandom(32)).decode())\""  # noqa: E501 - a command that is copied


def decode_webhook_secret(text: str) -> bytes:
    """The key of a secret such as `whsec_MfKQ…`. Raises `ConfigError`, which never shows it."""
    if not text.startswith(PREFIX):
        raise ConfigError(f"the secret does not begin with {PREFIX}", remedy=REMEDY)
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ConfigError("the secret is not base64", remedy=REMEDY) from None
    if not MIN_KEY_BYTES <= len(key) <= MAX_KEY_BYTES:
        fact = f"the secret has {len(key)} bytes, expected {MIN_KEY_BYTES}–{MAX_KEY_BYTES}"
        raise ConfigError(fact, remedy=REMEDY)
    return key


def sign_webhook(keys: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> str:
    """The header `webhook-signature`: one signature for each key, separated by spaces.

    `timestamp` is the time of the attempt, epoch seconds.
    """
    content = b"%b.%d.%b" % (message_id.encode(), timestamp, body)
    return " ".join(
        f"v1,{base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()}" for key in keys
    )
