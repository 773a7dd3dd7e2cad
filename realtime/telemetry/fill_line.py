"""The line of a fill, the only one that is written for events: encoded in one pass.

Any other line is a dict whose keys and values are searched for secrets one by one. A fill has
typed facts that repeat (symbols, sides, statuses), so what `redact` returns for a text is kept; it
depends on nothing but the text and the secrets that exist.
"""

from msgspec import UNSET, Struct, UnsetType
from msgspec.json import Encoder

from realtime.secret import count_secrets
from realtime.telemetry.redaction import redact

EVENT = "fill.applied"

MAX_TEXTS = 4096
"""Texts that are kept; then all are dropped. A fleet trades some hundred symbols, and prices are
short."""

MAX_TEXT_LENGTH = 32
"""A longer text is not kept."""


class Fill(Struct, frozen=True, gc=False):
    """The facts of an execution that was counted; its members are the keys of the line."""

    account: str
    symbol: str
    side: str
    qty: str
    price: str
    status: str
    lag_ms: float | None
    """From the execution until it was counted; None if its time is unknown."""


class _Line(Struct, gc=False):
    """The line, in the order of its keys."""

    timestamp: str
    level: str
    event: str
    account: str
    symbol: str
    side: str
    qty: str
    price: str
    status: str
    lag_ms: float | None
    tier: str | UnsetType = UNSET


_encode = Encoder().encode


class RedactedTexts:
    """What `redact` returns for texts, computed once while no secret is added."""

    def __init__(self) -> None:
        self._redacted: dict[str, str] = {}
        self._secrets = -1
        self._has_plain_keys = True

    def __getitem__(self, text: str) -> str:
        """The text without secrets. Call `update` first, in the same iteration of the loop."""
        known = self._redacted.get(text)
        return self._add(text) if known is None else known

    def update(self) -> bool:
        """Drop all texts if a secret was added; return whether the line's own words are none."""
        if self._secrets != count_secrets():
            self._secrets = count_secrets()
            self._redacted.clear()
            words = (*_Line.__struct_fields__, EVENT)
            self._has_plain_keys = all(redact(word) == word for word in words)
        return self._has_plain_keys

    def _add(self, text: str) -> str:
        redacted = redact(text)
        if len(text) <= MAX_TEXT_LENGTH:
            if len(self._redacted) >= MAX_TEXTS:
                self._redacted.clear()
            self._redacted[text] = redacted
        return redacted


def encode_fill(fill: Fill, texts: RedactedTexts, timestamp: str, tier: str | None) -> bytes:
    """The line of a fill as JSON, without its end; `texts` is up to date."""
    return _encode(
        _Line(
            timestamp,
            "info",
            EVENT,
            texts[fill.account],
            texts[fill.symbol],
            texts[fill.side],
            texts[fill.qty],
            texts[fill.price],
            texts[fill.status],
            fill.lag_ms,
            UNSET if tier is None else texts[tier],
        )
    )
