"""A client of the event stream, and the state that it builds from the events."""

from typing import Any

import msgspec
from msgspec import Struct

from realtime.api.documents.events import make_row_event
from realtime.api.documents.status import make_link_row
from realtime.broker.order_normalizer import normalize_order
from realtime.core.model import Account, Order, Position
from realtime.store.store import Store

COUNTS = ("positions", "open_orders")


class Event(Struct, frozen=True):
    """One event."""

    name: str
    data: Any  # documents of every shape
    id: str


class Parser:
    """Bytes in, events out, as the standard requires; an incomplete event is discarded."""

    def __init__(self) -> None:
        self.last_id = ""
        self._rest = b""

    def feed(self, data: bytes) -> list[Event]:
        """The events that these bytes complete."""
        *blocks, self._rest = (self._rest + data).split(b"\n\n")
        events = [self._read(block) for block in blocks]
        return [event for event in events if event is not None]

    def cut(self) -> None:
        """The connection is gone, and what was half told with it."""
        self._rest = b""

    def _read(self, block: bytes) -> Event | None:
        name, data = "message", None
        for line in block.split(b"\n"):
            field, _, value = line.partition(b":")
            value = value.removeprefix(b" ")
            match field:
                case b"id":
                    self.last_id = value.decode()
                case b"event":
                    name = value.decode()
                case b"data":
                    data = value
                case b"retry" | b"":
                    pass
                case _:
                    raise AssertionError(f"not an event stream: {line!r}")
        return None if data is None else Event(name, msgspec.json.decode(data), self.last_id)


class Mirror:
    """The state of a client that follows the instructions in docs/api.md."""

    def __init__(self) -> None:
        self.is_complete = False
        self.gaps: list[Any] = []
        self.begins_at = 0
        """Position at which the snapshot was complete."""
        self.updates: list[str] = []
        """Event ids of the trade updates that came since."""
        self._parts: dict[tuple[str, str], Any] = {}
        self._orders: dict[str, dict[str, Order] | None] = {}

    def forget(self) -> None:
        """Begin anew."""
        self._parts.clear()
        self._orders.clear()
        self.is_complete = False

    def apply(self, event: Event) -> None:
        """Apply an event."""
        data = event.data
        match event.name:
            case "resync":
                self.forget()
            case "ready" if not data["resumed"]:
                self.is_complete = True
                self.begins_at = int(event.id.rpartition("-")[2])
                self.updates.clear()
            case "gone":
                for key in [key for key in self._parts if key[0] == data["account_id"]]:
                    del self._parts[key]
                self._orders.pop(data["account_id"], None)
            case "gap":
                self.gaps.append(data)
            case "order":
                self._take_update(data)
            case "orders":
                self._take_orders(data)
            case "heartbeat" | "ready":
                pass
            case _:
                self._parts[data["account_id"], event.name] = data

    def compare(self, store: Store) -> None:
        """Fail where this is not what the store has."""
        assert self.is_complete
        assert {label for label, _ in self._parts} == set(store.records)
        for record in store:
            label, state = str(record.profile.label), record.state
            account, positions, link, row = (
                self._parts[label, part] for part in ("account", "positions", "link", "row")
            )
            for stand in (account, positions, link):
                assert stand["account_id"] == label
            assert account["stale"] == positions["stale"] == record.link.is_stale
            assert account["provisional"] == positions["provisional"] == sorted(state.provisional)
            assert account["confirmed_at"] is None or record.confirmed_at is not None
            assert msgspec.convert(account["account"], Account | None) == state.account
            theirs = msgspec.to_builtins(make_link_row(record))
            for name in COUNTS:
                del theirs[name], link["link"][name]
            assert link["link"] == theirs
            link["link"].update(dict.fromkeys(COUNTS))
            assert row == msgspec.to_builtins(make_row_event(record))
            if not record.has_data:
                assert positions["positions"] is None
                continue
            read = msgspec.convert(positions["positions"], list[Position])
            assert {each.symbol: each for each in read} == dict(state.positions)
            working = {i: o for i, o in state.orders.items() if not o.is_closed}
            held = self._orders[label]
            assert held is not None
            assert {i: o for i, o in held.items() if not o.is_closed} == working

    def _take_update(self, data: Any) -> None:
        self.updates.append(data.get("event_id", ""))
        held = self._orders.get(data["account_id"])
        if held is not None:
            for order in _flat(msgspec.convert(data["order"], Order)):
                held[order.id] = order

    def _take_orders(self, data: Any) -> None:
        told = None if data["orders"] is None else msgspec.convert(data["orders"], list[Order])
        if told is None:
            self._orders[data["account_id"]] = None
            return
        held = {} if data["complete"] else self._orders.get(data["account_id"]) or {}
        held.update({order.id: order for order in told})
        for order_id in data["removed"]:
            held.pop(order_id, None)
        self._orders[data["account_id"]] = held


def _flat(order: Order) -> list[Order]:
    own = normalize_order(msgspec.structs.replace(order, legs=None))
    return [own, *(each for leg in order.legs or () for each in _flat(leg))]
