"""Corporate actions of the simulated stocks: splits and symbol changes, as they are carried out."""

from collections.abc import Mapping
from typing import Literal, NamedTuple
from uuid import NAMESPACE_URL, uuid5

from realtime.simulator.exchange.timestamps import new_york_date
from realtime.simulator.market.elements import Fields
from realtime.simulator.market.rest.queries import bad_request, parse_limit, parse_time

TYPES = (
    "reverse_split", "forward_split", "unit_split", "cash_dividend", "stock_dividend", "spin_off",
    "cash_merger", "stock_merger", "stock_and_cash_merger", "redemption", "name_change",
    "worthless_removal", "rights_distribution", "reorganization", "partial_call",
)  # fmt: skip
_MAX_LIMIT = 1_000
_DEFAULT_LIMIT = 100
_CUSIP = "000000000"


class Split(NamedTuple):
    """`new` shares for `old` ones, at a time in epoch nanoseconds."""

    at: int
    symbol: str
    new: int
    old: int


class Action(NamedTuple):
    """One entry of the response."""

    at: int
    kind: Literal["forward_split", "reverse_split", "name_change"]
    symbols: tuple[str, ...]
    document: Fields


class CorporateActions:
    """All corporate actions, oldest first."""

    def __init__(self) -> None:
        self._actions: list[Action] = []
        self.splits: list[Split] = []
        # new symbol → old symbol
        self.former: dict[str, str] = {}

    def add_split(self, at: int, symbol: str, new: int, old: int) -> None:
        """Record a split."""
        self.splits.append(Split(at, symbol, new, old))
        day = new_york_date(at).isoformat()
        kind: Literal["forward_split", "reverse_split"]
        kind = "forward_split" if new > old else "reverse_split"
        cusips = {"cusip": _CUSIP}
        if kind == "reverse_split":
            cusips = {"old_cusip": _CUSIP, "new_cusip": _CUSIP}
        document = {
            "id": _action_id(at, symbol),
            "symbol": symbol,
            **cusips,
            "new_rate": new,
            "old_rate": old,
            "process_date": day,
            "ex_date": day,
        }
        self._actions.append(Action(at, kind, (symbol,), document))

    def add_name_change(self, at: int, old: str, new: str) -> None:
        """Record a change of a symbol."""
        self.former[new] = old
        document = {
            "id": _action_id(at, new),
            "old_symbol": old,
            "new_symbol": new,
            "old_cusip": _CUSIP,
            "new_cusip": _CUSIP,
            "process_date": new_york_date(at).isoformat(),
        }
        self._actions.append(Action(at, "name_change", (old, new), document))

    def factor(self, symbol: str, at: int) -> float:
        """Return what a raw price of a time is multiplied by to adjust it for later splits."""
        factor = 1.0
        for split in self.splits:
            if split.symbol == symbol and at < split.at:
                factor *= split.old / split.new
        return factor

    def page(self, query: Mapping[str, str]) -> Fields:
        """Return the response of GET /v1/corporate-actions."""
        kinds = _parse_types(query)
        symbols = set(filter(None, query.get("symbols", "").split(",")))
        start, end = parse_time(query, "start"), parse_time(query, "end")
        limit = parse_limit(query, _DEFAULT_LIMIT, _MAX_LIMIT)
        token = query.get("page_token", "0") or "0"
        if not token.isdigit():
            raise bad_request(f"invalid page_token: {token[:40]}")
        matching = [
            action
            for action in self._actions
            if action.kind in kinds
            and (not symbols or symbols & set(action.symbols))
            and (start is None or action.at >= start)
            and (end is None or action.at <= end)
        ]
        if query.get("sort") == "desc":
            matching.reverse()
        offset = int(token)
        groups: dict[str, list[Fields]] = {}
        for action in matching[offset : offset + limit]:
            groups.setdefault(f"{action.kind}s", []).append(action.document)
        more = len(matching) > offset + limit
        return {
            "corporate_actions": groups,
            "next_page_token": str(offset + limit) if more else None,
        }


def _parse_types(query: Mapping[str, str]) -> set[str]:
    kinds = {word for word in query.get("types", "").split(",") if word}
    for kind in kinds - set(TYPES):
        raise bad_request(f"invalid type: {kind[:40]}")
    return kinds or set(TYPES)


def _action_id(at: int, symbol: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"{symbol}:{at}"))
