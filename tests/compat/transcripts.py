"""Clients for which no toolchain is here, played as strictly as they are (MARKET 4 and 5).

What each sends and requires is taken from the source of Alpaca's Go SDK (2026-05) and of the C# SDK
8.0: headers, bodies, spellings of parameters, fields without which a whole response fails, limits.
"""

import http.client
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from websockets.sync.client import ClientConnection, connect

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")
ANSWER_TIMEOUT_S = 10.0
"""Go's own limit of a request."""
STREAM_TIMEOUT_S = 3.0
"""Go's own limit of a step at the beginning of a stream."""


class Refused(Exception):
    """A response with status 400 and above, in Alpaca's form."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(f"{status}: {code} {message}")
        self.status, self.code, self.message = status, code, message


class RestClient:
    """Sends one request after the other over one connection, as both SDKs do."""

    def __init__(self, url: str, key_id: str, secret: str, user_agent: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self._connection = http.client.HTTPConnection(
            parts.hostname, parts.port, timeout=ANSWER_TIMEOUT_S
        )
        self._headers = {
            "APCA-API-KEY-ID": key_id,
            "APCA-API-SECRET-KEY": secret,
            "User-Agent": user_agent,
            "Accept": "application/json",
        }

    def send(self, method: str, target: str, body: str | None = None) -> Any:
        """Return a document; None for 204. Raises `Refused`."""
        headers = dict(self._headers)
        if body is not None:
            headers["Content-Type"] = "application/json"
        self._connection.request(method, target, body, headers)
        response = self._connection.getresponse()
        content = response.read()
        assert response.version == 11
        assert not 300 <= response.status < 400, "no SDK follows a redirect"
        if response.status == 204:
            assert content == b""
            return None
        document = json.loads(content)
        assert (response.getheader("Content-Type") or "").startswith("application/json")
        if response.status >= 400:
            raise Refused(response.status, document["code"], document["message"])
        return document

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def require(document: Mapping[str, Any], **kinds: str) -> None:
    """Check the members without which a client fails: `id`, `text`, `decimal`, `time`, `flag`."""
    for name, kind in kinds.items():
        value = document[name]
        match kind:
            case "id":
                UUID(value)
            case "decimal":
                assert isinstance(value, str), (name, value)
                Decimal(value)
            case "time":
                assert TIME.fullmatch(value), (name, value)
            case "flag":
                assert isinstance(value, bool), (name, value)
            case _:
                assert isinstance(value, str), (name, value)


ORDER = {
    "id": "id", "client_order_id": "text", "created_at": "time", "updated_at": "time",
    "submitted_at": "time", "filled_qty": "decimal", "type": "text", "order_class": "text",
    "time_in_force": "text", "status": "text", "side": "text", "extended_hours": "flag",
}  # fmt: skip
POSITION = {
    "asset_id": "id", "symbol": "text", "exchange": "text", "asset_class": "text",
    "avg_entry_price": "decimal", "qty": "decimal", "cost_basis": "decimal", "side": "text",
}  # fmt: skip
ACCOUNT = {
    "id": "id", "account_number": "text", "status": "text", "cash": "decimal",
    "trading_blocked": "flag", "transfers_blocked": "flag", "account_blocked": "flag",
    "created_at": "time",
}  # fmt: skip
CLOCK = {"timestamp": "time", "is_open": "flag", "next_open": "time", "next_close": "time"}


@contextmanager
def open_socket(url: str, **headers: str) -> Iterator[ClientConnection]:
    """A websocket; compression is offered, as Go does."""
    with connect(
        url, additional_headers=headers, open_timeout=ANSWER_TIMEOUT_S, close_timeout=1
    ) as connection:
        yield connection


def receive(connection: ClientConnection) -> Any:
    """The next message, decoded, whatever its opcode."""
    data = connection.recv(timeout=STREAM_TIMEOUT_S)
    return json.loads(data)
