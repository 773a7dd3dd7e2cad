"""A read-only MCP server (Model Context Protocol) on stdin and stdout, for AI agents.

It holds nothing: each call is one request to the running daemon, which answers from memory. That no
daemon runs, or that it refuses the token, is the result of a call; the next one tries again.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec
from mcp import types
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from msgspec import Raw

from realtime import __version__
from realtime.api.routes import openapi_document
from realtime.cli.client import DaemonClient
from realtime.cli.mcp_tools import (
    CLOCK,
    InvalidArguments,
    Tool,
    add_health,
    make_tools,
    read_freshness,
)
from realtime.errors import RealtimeError

MAX_RESULT_BYTES = 2**20
"""An agent cannot use more; 1000 accounts are 400 KB."""

INSTRUCTIONS = """\
Reads the state of Alpaca trading accounts from a running `realtime` daemon. Nothing here can trade
or change anything. Each result is {"freshness": …, "data": …}: before you rely on money, positions
or orders, check freshness.state. "current" is what the broker last confirmed, "provisional" awaits
its confirmation, "stale" may be behind the broker. Amounts are decimal texts: do not round them.
"""

_encode = msgspec.json.Encoder().encode


class ToolServer:
    """Answers calls of tools from one daemon."""

    def __init__(self, daemon: DaemonClient) -> None:
        self._daemon = daemon
        self.tools: Mapping[str, Tool] = {
            tool.name: tool for tool in make_tools(openapi_document(__version__, has_market=True))
        }

    async def call(self, name: str, arguments: Mapping[str, object]) -> tuple[str, bool]:
        """Return a result as JSON, or an error's text; and whether it is an error."""
        tool = self.tools.get(name)
        if tool is None:
            return f"unknown tool {name!r}; known: {', '.join(self.tools)}", True
        try:
            # A request waits for the daemon at most `RESPONSE_TIMEOUT_S`.
            return await asyncio.to_thread(self._read, tool, arguments), False
        except InvalidArguments as error:
            return f"{name}: {error}", True
        except RealtimeError as error:
            return str(error), True

    def _read(self, tool: Tool, arguments: Mapping[str, object]) -> str:
        headers = self._clock_headers() if tool.path == CLOCK.path else {}
        response = self._daemon.read(tool.make_target(arguments), headers)
        if len(response.body) > MAX_RESULT_BYTES:
            raise InvalidArguments(
                f"the result has {len(response.body) >> 10} KiB; ask for less, with `limit` or for"
                " one account"
            )
        freshness = read_freshness(response.headers, msgspec.json.decode(response.body))
        if tool.rests_on_accounts:
            freshness = add_health(
                freshness, msgspec.json.decode(self._daemon.read("/health").body)
            )
        return _encode({"freshness": freshness, "data": Raw(response.body)}).decode()

    def _clock_headers(self) -> dict[str, str]:
        """Select an account: the clock is the same for all."""
        status: Any = msgspec.json.decode(self._daemon.read("/realtime/status").body)
        label = next(iter(status["accounts"]), "none")
        if self._daemon.has_token:
            return {"X-Realtime-Account": label}
        return {"APCA-API-KEY-ID": label, "APCA-API-SECRET-KEY": "none"}


def make_server(tools: ToolServer) -> "Server[Any]":
    """Return the protocol's server."""

    async def list_tools(context: Any, params: Any) -> types.ListToolsResult:
        hints = types.ToolAnnotations(
            read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
        )
        return types.ListToolsResult(
            tools=[
                types.Tool(
                    name=tool.name,
                    description=tool.description,
                    input_schema=dict(tool.input_schema),
                    annotations=hints,
                )
                for tool in tools.tools.values()
            ]
        )

    async def call_tool(context: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        text, is_error = await tools.call(params.name, params.arguments or {})
        return types.CallToolResult(
            content=[types.TextContent(type="text", text=text)], is_error=is_error
        )

    return Server(
        "realtime",
        version=__version__,
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def run(tools: ToolServer) -> None:
    """Serve one agent on stdin and stdout, until it ends."""
    asyncio.run(_serve(tools))


async def _serve(tools: ToolServer) -> None:
    server = make_server(tools)
    async with stdio_server() as (received, sent):
        await server.run(received, sent, server.create_initialization_options())
