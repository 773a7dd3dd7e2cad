"""Tools for AI agents: what they read, with which arguments, and how fresh a result is."""

from email.message import Message
from typing import Any

import pytest

from realtime.api.routes import openapi_document
from realtime.cli.mcp_tools import (
    InvalidArguments,
    Tool,
    add_health,
    make_tools,
    read_freshness,
)

TOOLS = {tool.name: tool for tool in make_tools(openapi_document("1", has_market=True))}
ORDERS = TOOLS["get_orders"]


def headers(**values: str) -> Message:
    message = Message()
    for name, value in values.items():
        message[name.replace("_", "-")] = value
    return message


@pytest.mark.parametrize(
    ("tool", "arguments", "target"),
    [
        (TOOLS["list_accounts"], {}, "/realtime/accounts"),
        (ORDERS, {"account_id": "alpha"}, "/realtime/orders/alpha"),
        (
            ORDERS,
            {"account_id": "a b", "symbol": ["AAPL", "BTC/USD"], "nested": True, "limit": 3},
            "/realtime/orders/a%20b?symbol=AAPL%2CBTC%2FUSD&nested=true&limit=3",
        ),
        (TOOLS["get_quote"], {"symbol": "BRK/B?x"}, "/stocks/BRK%2FB%3Fx/quote"),
        (TOOLS["get_fills"], {"from": "0", "limit": None}, "/history/trades?from=0"),
        (TOOLS["get_market_clock"], {}, "/v2/clock"),
    ],
)  # fmt: skip
def test_arguments_become_path_and_query(
    tool: Tool, arguments: dict[str, object], target: str
) -> None:
    assert tool.make_target(arguments) == target


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"account_id": ""},
        {"account_id": ".."},
        {"account_id": 7},
        {"account_id": "alpha", "symbols": "AAPL"},
        {"account_id": "alpha", "format": "csv"},
        {"account_id": "alpha", "symbol": {"a": 1}},
        {"account_id": "alpha", "symbol": "\ud800"},
        {"account_id": "\ud800"},
    ],
)
def test_arguments_that_do_not_fit_are_refused(arguments: dict[str, object]) -> None:
    with pytest.raises(InvalidArguments):
        ORDERS.make_target(arguments)


@pytest.mark.parametrize("tool", TOOLS.values(), ids=lambda tool: tool.name)
def test_schemas_are_objects_that_name_what_is_required(tool: Tool) -> None:
    schema: Any = tool.input_schema
    assert schema["type"] == "object"
    assert set(schema["required"]) == tool.path_names <= schema["properties"].keys()
    assert tool.description.endswith((".", ")"))


AS_OF = {"X_Realtime_As_Of": "2026-10-06T14:00:00.000Z"}


@pytest.mark.parametrize(
    ("found", "document", "state", "stale_accounts"),
    [
        (AS_OF, [], "current", None),
        ({**AS_OF, "X_Realtime_Provisional": "account, positions"}, [], "provisional", None),
        ({**AS_OF, "X_Realtime_Stale": "true"}, [], "stale", None),
        ({**AS_OF, "X_Realtime_Stale": "false"}, [], "current", None),
        (AS_OF, {"stale": True, "stale_reason": "reconnecting"}, "stale", None),
        (AS_OF, {"accounts": 3, "stale": 1}, "partly stale", 1),
        (AS_OF, {"accounts": 3, "stale": 3}, "stale", 3),
        (AS_OF, {"accounts": [{"stale": False}, {"stale": True}]}, "partly stale", 1),
        (AS_OF, {"accounts": {"alpha": {"stale": False}}}, "current", 0),
        (AS_OF, {"accounts": {"alpha": {"stale": True}}}, "stale", 1),
    ],
)
def test_freshness_states_what_may_be_behind(
    found: dict[str, str], document: object, state: str, stale_accounts: int | None
) -> None:
    freshness = read_freshness(headers(**found), document)
    assert (freshness["as_of"], freshness["state"]) == (AS_OF["X_Realtime_As_Of"], state)
    assert freshness.get("stale_accounts") == stale_accounts
    provisional = ["account", "positions"] if state == "provisional" else []
    assert freshness["provisional"] == provisional


def test_a_response_without_a_time_is_as_of_its_date() -> None:
    freshness = read_freshness(headers(Date="Tue, 06 Oct 2026 14:00:07 GMT"), {"halted": False})
    assert freshness == {"as_of": "2026-10-06T14:00:07Z", "state": "current", "provisional": []}


@pytest.mark.parametrize(
    ("stale", "history", "state", "reason"),
    [
        (0, {"status": "recording"}, "current", None),
        (1, {"status": "recording"}, "partly stale", None),
        (3, None, "stale", None),
        (0, {"status": "failing", "reason": "disk_full"}, "stale", "history: disk_full"),
    ],
)
def test_history_is_as_fresh_as_the_accounts_and_its_files(
    stale: int, history: object, state: str, reason: str | None
) -> None:
    health = {"stale_accounts": stale, "total_accounts": 3, "history": history}
    freshness = add_health({"as_of": "x", "state": "current", "provisional": []}, health)
    assert (freshness["state"], freshness.get("stale_reason")) == (state, reason)
