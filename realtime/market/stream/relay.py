"""Sends each element to the clients that subscribed to it: groups of equal clients, joined once.

Pure but for the clients' ports, which never wait. Elements are collected by `route` and leave with
`flush`; the owner flushes before it changes a subscription, so that a client never gets an element
from before its ack.
"""

from realtime.broker.market_codec import Element
from realtime.market.stream.channels import ALL, CHANNEL_OF_TYPE, Pairs
from realtime.market.stream.client import Batch, StreamClient
from realtime.market.stream.formats import Codec

GroupKey = tuple[Pairs, Codec, bool]

MAX_ROUTES = 50_000
"""Kinds and symbols whose groups are remembered; the memory is emptied beyond it."""


class Group:
    """Clients with the same subscriptions and the same form of messages."""

    def __init__(self, key: GroupKey) -> None:
        self.key = key
        self.clients: dict[StreamClient, None] = {}
        self.elements: list[Element] = []


class Relay:
    """The clients of one stream."""

    def __init__(self) -> None:
        self.clients: dict[StreamClient, GroupKey] = {}
        self.sent = 0
        """Elements sent to clients: each counts once for each client."""
        self._groups: dict[GroupKey, Group] = {}
        self._index: dict[tuple[str, str], dict[Group, None]] = {}
        """(channel, symbol) → groups."""
        self._routes: dict[tuple[str, tuple[str, ...]], tuple[Group, ...]] = {}
        """Kind and symbols of an element → groups; emptied when a group comes or goes."""
        self._pending: dict[Group, None] = {}

    @property
    def has_pending(self) -> bool:
        """Whether elements wait for `flush`."""
        return bool(self._pending)

    def set_subscriptions(self, client: StreamClient, pairs: Pairs) -> None:
        """Put a client into the group of its subscriptions. Flush before."""
        self.remove(client)
        client.pairs = pairs
        key = (pairs, client.codec, client.is_resumable)
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = Group(key)
            for pair in pairs:
                self._index.setdefault(pair, {})[group] = None
            self._routes.clear()
        group.clients[client] = None
        self.clients[client] = key

    def remove(self, client: StreamClient) -> None:
        """Remove a client."""
        key = self.clients.pop(client, None)
        if key is None:
            return
        group = self._groups[key]
        del group.clients[client]
        if not group.clients:
            del self._groups[key]
            self._pending.pop(group, None)
            for pair in key[0]:
                groups = self._index[pair]
                del groups[group]
                if not groups:
                    del self._index[pair]
            self._routes.clear()

    def route(self, elements: list[Element]) -> None:
        """Collect elements for their groups."""
        routes = self._routes
        for element in elements:
            key = (element.kind, element.symbols)
            groups = routes.get(key)
            if groups is None:
                groups = self._find_groups(element)
            for group in groups:
                if not group.elements:
                    self._pending[group] = None
                group.elements.append(element)

    def flush(self) -> None:
        """Send what was collected."""
        pending, self._pending = self._pending, {}
        for group in pending:
            elements, group.elements = group.elements, []
            _, codec, has_seq = group.key
            batch = Batch(elements, codec, has_seq=has_seq)
            self.sent += len(elements) * len(group.clients)
            for client in list(group.clients):
                client.deliver(batch)

    def _find_groups(self, element: Element) -> tuple[Group, ...]:
        channel = CHANNEL_OF_TYPE.get(element.kind, "")
        groups: dict[Group, None] = {}
        for symbol in (*element.symbols, ALL):
            groups.update(self._index.get((channel, symbol), {}))
        if len(self._routes) >= MAX_ROUTES:
            self._routes.clear()
        found = self._routes[element.kind, element.symbols] = tuple(groups)
        return found
