"""Removes identities from recorded JSON and keeps what relates one object to another.

The same identifier is replaced by the same substitute in the whole recording, so an order's frames,
its legs and its fills still belong together.
"""

import json
import re
from typing import Any

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+")
KEY = re.compile(r"\b[PAC]K[A-Z0-9]{16,}\b")
"""Alpaca's key ids: paper, live and broker."""

IDENTITY = frozenset({"account_number", "user_id", "admin_id", "owner_id", "email_address", "name"})
"""Members whose value is replaced whatever it looks like."""

FREE_TEXT = frozenset({"client_order_id"})
"""What the account's owner may have written: replaced, since it may say anything."""


class Sanitizer:
    """Replaces identities consistently; `secrets` are strings that must not remain anywhere."""

    def __init__(self, *secrets: str) -> None:
        self._secrets = [secret for secret in secrets if secret]
        self._uuids: dict[str, str] = {}
        self._texts: dict[str, str] = {}

    def sanitize(self, value: Any, member: str = "") -> Any:
        """Return a JSON value without identities; raises `ValueError` if a secret remains."""
        if isinstance(value, dict):
            return {key: self.sanitize(item, key) for key, item in value.items()}
        if isinstance(value, list):
            return [self.sanitize(item, member) for item in value]
        if not isinstance(value, str):
            return value
        return self._text(value, member)

    def check(self, text: str) -> str:
        """Return text that holds no secret, otherwise raise `ValueError`."""
        if any(secret in text for secret in self._secrets) or KEY.search(text):
            raise ValueError("a key or a secret is still in the recording; nothing was written")
        return text

    def _text(self, value: str, member: str) -> str:
        if member == "account_number":
            return "PA0EXAMPLE01"
        if member in IDENTITY:
            return "example"
        if member in FREE_TEXT:
            return self._texts.setdefault(value, f"client-order-{len(self._texts) + 1}")
        value = UUID.sub(lambda match: self._uuid(match.group()), value)
        value = EMAIL.sub("someone@example.com", value)
        for secret in self._secrets:
            value = value.replace(secret, "secret")
        return KEY.sub("PKEXAMPLE", value)

    def _uuid(self, value: str) -> str:
        number = len(self._uuids) + 1
        return self._uuids.setdefault(value.lower(), f"00000000-0000-4000-8000-{number:012x}")


def line(entry: dict[str, Any]) -> str:
    """One line of a recording."""
    return json.dumps(entry, separators=(",", ":"))
