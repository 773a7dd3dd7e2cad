"""Tools for AI agents: reads of the daemon's HTTP interface, and how fresh each result is.

Names and purposes are here; parameters are those that the interface itself describes, so that the
two cannot differ. Every tool is a GET: there is none that changes anything.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Struct

OMITTED = frozenset({"format", "routing_key"})
"""Parameters that mean nothing to an agent."""

JsonObject = Mapping[str, object]


class InvalidArguments(ValueError):
    """The arguments of a call do not fit its tool."""


class ToolRoute(Struct, frozen=True):
    """One tool: its name, the path that it reads, and what it is for."""

    name: str
    path: str
    purpose: str
    rests_on_accounts: bool = False
    """Whether its response has no word on the accounts that it is computed from."""


TOOLS = (
    ToolRoute("list_accounts", "/realtime/accounts", "Start here: it has the labels of accounts."),
    ToolRoute("get_summary", "/realtime/summary", "Totals of all accounts, and by tier."),
    ToolRoute("get_status", "/realtime/status", "Which accounts are not in sync, and why."),
    ToolRoute(
        "get_dashboard",
        "/realtime/dashboard/{account_id}",
        "One version: figures, positions and orders belong together.",
    ),
    ToolRoute("get_account", "/realtime/account/{account_id}", "Equity, cash, buying power."),
    ToolRoute("get_positions", "/realtime/positions/{account_id}", "What the account holds."),
    ToolRoute("get_orders", "/realtime/orders/{account_id}", "status=open for what is working."),
    ToolRoute(
        "get_fills",
        "/history/trades",
        "Executions of one, some or all accounts.",
        rests_on_accounts=True,
    ),
    ToolRoute(
        "get_events",
        "/history/events/{account_id}",
        "Order events, outages, gaps.",
        rests_on_accounts=True,
    ),
    ToolRoute(
        "get_equity_curve",
        "/realtime/history/{account_id}",
        "Points of the last day.",
        rests_on_accounts=True,
    ),
    ToolRoute(
        "get_performance", "/history/performance", "Past days added up.", rests_on_accounts=True
    ),
    ToolRoute(
        "get_symbol_results", "/history/symbols", "What each symbol earned.", rests_on_accounts=True
    ),
    ToolRoute(
        "compare",
        "/compare",
        "A difference within its interval is no difference.",
        rests_on_accounts=True,
    ),
    ToolRoute(
        "get_books", "/books/{account_id}", "Strategies inside one account.", rests_on_accounts=True
    ),
    ToolRoute(
        "get_alerts", "/alerts", "Bounds of tiers that are exceeded.", rests_on_accounts=True
    ),
    ToolRoute("get_halt", "/orders/halt", "Whether new orders are stopped."),
    ToolRoute("get_request_budget", "/realtime/budget/{account_id}", "Requests left this minute."),
    ToolRoute("get_report_card", "/report", "How reliable the broker was."),
    ToolRoute("get_market_status", "/market/status", "Market data: feed, plan, streams."),
    ToolRoute("get_quote", "/stocks/{symbol}/quote", "Needs market data ([market])."),
    ToolRoute("get_health", "/health", "The daemon itself."),
)

CLOCK = ToolRoute(
    "get_market_clock", "/v2/clock", "Whether the market is open, and when that changes next."
)
"""Alpaca's own document: it is read with an account in place of the key."""


class Tool(Struct, frozen=True, kw_only=True):
    """A tool as agents see it."""

    name: str
    description: str
    path: str
    input_schema: JsonObject
    """JSON Schema of its arguments."""
    rests_on_accounts: bool = False
    path_names: frozenset[str] = frozenset()
    """Arguments that are part of the path."""

    def make_target(self, arguments: JsonObject) -> str:
        """Return the path and query of a call. Raises `InvalidArguments`."""
        known = self.input_schema["properties"]
        assert isinstance(known, Mapping), "made here"
        for name in arguments:
            if name not in known:
                names = ", ".join(known) or "none"
                raise InvalidArguments(f"unknown argument {name!r}; known: {names}")
        path, query = self.path, {}
        for name in self.path_names:
            value = arguments.get(name)
            if not isinstance(value, str) or value in ("", ".", ".."):
                raise InvalidArguments(f"{name}: required, a text")
            path = path.replace(f"{{{name}}}", quote(_check_encodable(value), safe=""))
        for name, value in arguments.items():
            if name not in self.path_names and value is not None:
                query[name] = _format(value)
        return f"{path}?{urlencode(query)}" if query else path


def make_tools(description: bytes) -> tuple[Tool, ...]:
    """Return all tools, with the parameters of the interface's OpenAPI document."""
    paths = msgspec.json.decode(description)["paths"]
    clock = Tool(
        name=CLOCK.name, description=CLOCK.purpose, path=CLOCK.path, input_schema=_make_schema(())
    )
    return (*(_make_tool(route, paths[route.path]["get"]) for route in TOOLS), clock)


def read_freshness(headers: Message, document: object) -> dict[str, object]:
    """Return how far a response can be relied on.

    `state`: `current`, `provisional` (parts await the broker's confirmation), `stale` (may be
    behind the broker), or `partly stale` for a table with `stale_accounts`.
    """
    known: JsonObject = document if isinstance(document, dict) else {}
    provisional = [
        part.strip() for part in headers.get("X-Realtime-Provisional", "").split(",") if part
    ]
    stale, total = _count_stale(known)
    if headers.get("X-Realtime-Stale") == "true" or known.get("stale") is True:
        state = "stale"
    elif stale:
        state = "stale" if stale >= total else "partly stale"
    else:
        state = "provisional" if provisional else "current"
    freshness: dict[str, object] = {
        "as_of": headers.get("X-Realtime-As-Of") or known.get("as_of") or _date(headers),
        "state": state,
        "provisional": provisional,
    }
    if total:
        freshness["stale_accounts"] = stale
    for name in ("stale_since", "stale_reason"):
        if known.get(name):
            freshness[name] = known[name]
    source = headers.get("X-Realtime-Source")
    return freshness if source is None else {**freshness, "source": source}


def add_health(freshness: dict[str, object], health: object) -> dict[str, object]:
    """Return the freshness of a response that is computed from accounts and their history, with the
    state of both by `/health`."""
    known: JsonObject = health if isinstance(health, dict) else {}
    stale, total = known.get("stale_accounts", 0), known.get("total_accounts", 0)
    assert isinstance(stale, int)
    assert isinstance(total, int)
    history = known.get("history")
    is_recorded = isinstance(history, dict) and history.get("status") == "recording"
    state = freshness["state"]
    if stale:
        state = "stale" if stale >= total else "partly stale"
    elif isinstance(history, dict) and not is_recorded:
        state = "stale"
    added = {"state": state, "stale_accounts": stale}
    if isinstance(history, dict) and not is_recorded:
        added["stale_reason"] = f"history: {history.get('reason') or history.get('status')}"
    return {**freshness, **added}


def _make_tool(route: ToolRoute, operation: Mapping[str, object]) -> Tool:
    listed = operation.get("parameters", [])
    assert isinstance(listed, list), "OpenAPI"
    parameters = [p for p in listed if p["in"] in ("path", "query") and p["name"] not in OMITTED]
    return Tool(
        name=route.name,
        description=f"{operation['summary']}. {route.purpose}",
        path=route.path,
        input_schema=_make_schema(parameters),
        rests_on_accounts=route.rests_on_accounts,
        path_names=frozenset(p["name"] for p in parameters if p["in"] == "path"),
    )


def _make_schema(parameters: Iterable[Mapping[str, object]]) -> JsonObject:
    properties: dict[object, object] = {}
    required = []
    for parameter in parameters:
        schema = parameter["schema"]
        assert isinstance(schema, Mapping), "OpenAPI"
        texts = [parameter.get("description"), schema.get("description")]
        text = " ".join(str(text) for text in texts if text)
        properties[parameter["name"]] = {**schema, **({"description": text} if text else {})}
        if parameter.get("required"):
            required.append(parameter["name"])
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _count_stale(document: JsonObject) -> tuple[int, int]:
    """How many accounts of a table are stale, and how many there are; zeros for no table."""
    rows, stale = document.get("accounts"), document.get("stale")
    if isinstance(rows, int) and isinstance(stale, int):  # the summary
        return stale, rows
    listed = list(rows.values()) if isinstance(rows, dict) else rows
    if not isinstance(listed, list):
        return 0, 0
    flags = [row["stale"] for row in listed if isinstance(row, dict) and "stale" in row]
    return sum(map(bool, flags)), len(flags)


def _date(headers: Message) -> str:
    """When the daemon has answered: what has no time of its own is as of then."""
    try:
        at = parsedate_to_datetime(headers.get("Date", ""))
    except ValueError:
        at = datetime.now(UTC)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _check_encodable(text: str) -> str:
    """Return a text that UTF-8 can express. Raises `InvalidArguments`: JSON allows half of a
    surrogate pair, and no address can contain it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidArguments("half of a surrogate pair is no character") from None
    return text


def _format(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(_format(item) for item in value)
    if isinstance(value, str | int | float):
        return _check_encodable(str(value))
    raise InvalidArguments("an argument is a text, a number, true, false, or a list of these")
