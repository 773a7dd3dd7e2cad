"""What the data key may use: probed by REST, which takes no stream's only connection.

A request for the newest SIP trade is refused with 403 without the plan; the limit of requests in
the headers shows the plan itself (MARKET 1). What cannot be determined stays None.
"""

from msgspec import Struct, structs

from realtime.market.rest.reader import DataQuery, RestReader

PLUS_LIMIT = 1000
"""Requests per minute from which on the plan is a paid one: 200 or 10 000."""

STOCK = "SPY"
OPTION = "SPY300118C00600000"
"""Any symbol that is spelled correctly; the feed is checked first."""


class Entitlement(Struct, frozen=True, kw_only=True):
    """Feeds and plan; None: not known yet."""

    feed: str | None = None
    option_feed: str | None = None
    plan: str | None = None

    @property
    def is_known(self) -> bool:
        """Whether nothing is left to probe."""
        return None not in (self.feed, self.option_feed, self.plan)


async def probe(reader: RestReader, known: Entitlement) -> Entitlement:
    """Return what is known after asking for the rest. Raises a `RealtimeError`."""
    if known.feed is None:
        sip = await _may_read(reader, "/v2/stocks/trades/latest", STOCK, "sip")
        known = structs.replace(known, feed=_choose(sip, "sip", "iex"))
    if known.option_feed is None:
        opra = await _may_read(reader, "/v1beta1/options/quotes/latest", OPTION, "opra")
        known = structs.replace(known, option_feed=_choose(opra, "opra", "indicative"))
    if known.plan is None and known.feed is not None:
        is_plus = known.feed == "sip" or reader.budget.status.limit >= PLUS_LIMIT
        known = structs.replace(known, plan="plus" if is_plus else "basic")
    return known


async def _may_read(reader: RestReader, path: str, symbol: str, feed: str) -> bool | None:
    """Return whether the key may use a feed; None if the response does not show it."""
    query = DataQuery(path, (("symbols", symbol), ("feed", feed)), "latest")
    status = (await reader.fetch(query, uses_floor=True)).status
    return {200: True, 403: False}.get(status)


def _choose(is_allowed: bool | None, best: str, free: str) -> str | None:
    return None if is_allowed is None else best if is_allowed else free
