"""Account and positions from memory, in the broker's own bytes."""

import re

import msgspec

from realtime.api.alpaca.freshness import get_current_record, memory_response
from realtime.api.alpaca.requests import AlpacaRequest
from realtime.api.responses import ApiResponse
from realtime.core.model import Position, position_symbol
from realtime.store.records import Record

PDT_FIELDS: tuple[tuple[str, bytes], ...] = (
    ("pattern_day_trader", b"false"),
    ("daytrade_count", b"0"),
)
"""Removed by Alpaca on 2026-07-06; C# clients up to 7.2.1 fail without the first (csharp#817)."""

_OLD_DOTNET = re.compile(r"APCA-DOTNET/[0-7]\.")

_encode = msgspec.json.Encoder().encode


def get_account(request: AlpacaRequest) -> ApiResponse | None:
    """Return the account's figures."""
    record = get_current_record(request, "account")
    if record is None or request.target.has_parameters:
        return None
    body = add_pdt_fields(request, _encode(record.state.account))
    return memory_response(request, record, body, as_of=record.confirmed_at)


def complete_account(request: AlpacaRequest, response: ApiResponse, sent_at: float) -> ApiResponse:
    """Add to the broker's account the fields that an old client requires."""
    if response.status != 200:
        return response
    return msgspec.structs.replace(response, body=add_pdt_fields(request, response.body))


def get_positions(request: AlpacaRequest) -> ApiResponse | None:
    """Return all positions, in the broker's order."""
    record = get_current_record(request, "positions")
    if record is None or request.target.has_parameters:
        return None
    body = _encode(tuple(record.state.positions.values()))
    return memory_response(request, record, body, as_of=record.confirmed_at)


def get_position(request: AlpacaRequest) -> ApiResponse | None:
    """Return one position, by symbol in any spelling or by asset id; one that is not there is the
    broker's to report."""
    record = get_current_record(request, "positions")
    if record is None or not request.target.query.keys() <= {"symbol"}:
        return None
    position = find_position(record, request.parts["symbol"])
    if position is None:
        return None
    return memory_response(request, record, _encode(position), as_of=record.confirmed_at)


def find_position(record: Record, name: str) -> Position | None:
    """Return a position by its symbol or asset id; None unless exactly one has it."""
    symbol, asset_id = position_symbol(name.upper()), name.lower()
    found = [
        position
        for position in record.state.positions.values()
        if position.symbol == symbol or position.asset_id == asset_id
    ]
    return found[0] if len(found) == 1 else None


def add_pdt_fields(request: AlpacaRequest, body: bytes) -> bytes:
    """Return an account with the fields that an old client requires, if it is one."""
    user_agent = request.headers.get("User-Agent", "")
    if not (request.context.options.pdt_fields or _OLD_DOTNET.match(user_agent)):
        return body
    if not body.endswith(b"}"):
        return body
    added = [b'"%b":%b' % (name.encode(), value) for name, value in PDT_FIELDS]
    missing = [text for text in added if text.partition(b":")[0] not in body]
    return b",".join([body[:-1], *missing]) + b"}" if missing else body
