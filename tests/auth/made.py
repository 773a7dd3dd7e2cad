"""Tokens as issuers write them, good and bad, made without the library that reads them."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping

NOW = 1_800_000_000.0
SECRET = b"development-only-0123456789abcdef"
OTHER_SECRET = b"somebody-elses-0123456789abcdefgh"


def claims(**more: object) -> dict[str, object]:
    """Claims that are good at NOW; None leaves one out."""
    good: dict[str, object] = {
        "user_id": "ann",
        "account_id": ["alpha", "bravo"],
        "permissions": ["account_access"],
        "exp": int(NOW) + 600,
    }
    return {name: value for name, value in (good | more).items() if value is not None}


def b64(content: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def unsigned(header: object, payload: object) -> str:
    """The first two parts of a token."""
    return ".".join(b64(json.dumps(part).encode()) for part in (header, payload))


def signed(
    payload: Mapping[str, object] | object,
    secret: bytes = SECRET,
    header: Mapping[str, object] | None = None,
) -> str:
    """A token signed with HMAC-SHA256, whatever its header says."""
    begun = unsigned(header or {"alg": "HS256", "typ": "JWT"}, payload)
    digest = hmac.new(secret, begun.encode(), hashlib.sha256).digest()
    return f"{begun}.{b64(digest)}"
