"""`/llms.txt` (llmstxt.org): what this program is, for AI agents and those who write them.

The repository's file of this name has the same text without the list of all routes.
"""

from collections.abc import Iterable
from typing import Any

from realtime.api.route import Route

REPOSITORY = "https://github.com/alpaca-realtime/alpaca-realtime/blob/main/"

DOCS = (
    ("README.md", "what it is, how to start"),
    ("docs/api.md", "the HTTP interface: state, history, events, tokens, errors"),
    ("docs/orders.md", "orders: accounts, risk checks, the kill switch, why nothing is sent twice"),
    ("docs/localhost.md", "Alpaca's own API here: each SDK in one line; the MCP server"),
    ("docs/market.md", "market data: streams and reads through one cache"),
    ("docs/marks.md", "equity that moves with prices, and its error"),
    ("docs/history.md", "what survives a restart; the state at a moment of the past"),
    ("docs/cluster.md", "one daemon in front of several others"),
    ("docs/compare.md", "accounts, tiers and strategies side by side, with intervals"),
    ("docs/notify.md", "webhooks, and notifications for people"),
    ("docs/recipes.md", "Grafana, Streamlit, Home Assistant, a spreadsheet"),
    ("docs/operations.md", "configuration, deployment, metrics, runbook"),
    ("docs/cluster.md", "fronts: the same state served by further processes"),
    ("docs/events.md", "log events"),
    ("docs/reliability.md", "what is promised, and how it is tested"),
    ("docs/performance.md", "measured figures"),
    ("docs/simulator.md", "the simulated broker and its faults"),
    ("docs/order-status.md", "statuses of orders"),
    ("docs/architecture.md", "packages and data flow"),
    ("docs/cluster.md", "fronts on other machines that follow this daemon"),
    ("docs/glossary.md", "the words that are used"),
)

HEAD = """\
# realtime

> A daemon that follows many Alpaca trading accounts: their state is in memory and served over HTTP,
> pushed as events, and orders pass risk checks and are never sent twice.

Start without keys, with simulated accounts: `realtime demo`. With your own: write accounts.toml and
secrets.toml, then `realtime check` and `realtime run`. The address is http://127.0.0.1:8090.

- Amounts and quantities are decimal texts, never numbers: do not round them.
- `X-Realtime-As-Of`, `X-Realtime-Stale` and `X-Realtime-Provisional` of a response: as of when it
  is, whether it may be behind the broker, and which parts await the broker's confirmation.
- What is not known is an error or `null`, never zero and never an empty list.
- Errors are RFC 9457 documents with `code` and `remedy`. With `[auth]` in the configuration, send
  `Authorization: Bearer` and a token.
- Programs written for Alpaca use `http://127.0.0.1:8090` in place of
  `https://paper-api.alpaca.markets`: `/v2/account`, `/v2/orders`, `/stream` and all others.
- `realtime mcp` serves the same reads to AI agents (MCP over stdio); it cannot change anything.
"""


MAIN_ROUTES = (
    ("GET /realtime/accounts", "all accounts as a table; start here for their labels"),
    ("GET /realtime/dashboard/{account_id}", "all of one account at one version"),
    ("GET /realtime/positions/{account_id}", "its positions, as Alpaca lists them"),
    ("GET /realtime/orders/{account_id}", "its orders, newest first"),
    ("GET /realtime/summary", "the fleet in a few figures"),
    ("GET /realtime/events", "server-sent events: a snapshot, then every change"),
    ("GET /history/trades", "executions between two times"),
    ("GET /compare", "accounts, tiers or strategies side by side"),
    ("POST /orders", "places an order"),
    ("GET /openapi.json", "parameters, responses and errors of every route"),
)


def format_llms_text(routes: Iterable[Route[Any]] = ()) -> str:
    """Return the text, with a list of these routes."""
    lines = [HEAD, "## Docs", ""]
    lines += [f"- [{file}]({REPOSITORY}{file}): {text}" for file, text in DOCS]
    lines += ["", "## Main routes", "", *(f"- {path}: {text}" for path, text in MAIN_ROUTES), ""]
    own = [route for route in routes if not route.paths[0].startswith(("/v1", "/v2"))]
    if own:
        lines += ["## All routes", ""]
        lines += [f"- {route.method} {route.paths[0]}: {route.summary}" for route in own]
        lines += ["", "Alpaca's own paths of market data are in docs/market.md.", ""]
    return "\n".join(lines)
