"""Open websockets of one stream server: how many there are, of which client, and until when."""

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from aiohttp import web

from realtime.api.security.client_limits import address_group
from realtime.api.stream_connection import StreamConnection
from realtime.auth.principal import Principal

MAX_SHARE = 0.25
"""The part of all connections that one token, or one address without a token, may have."""

MAX_LIFETIME_S = 86_400.0
"""With a token that is valid for longer, the client reconnects after a day."""

Connection = TypeVar("Connection", bound=StreamConnection)


class StreamClients(Generic[Connection]):
    """Connections of one server. `wall_clock` gives epoch seconds, for tokens."""

    def __init__(self, max_clients: int, wall_clock: Callable[[], float]) -> None:
        self._max_clients = max_clients
        self._wall_clock = wall_clock
        self._connections: dict[Connection, None] = {}

    def __len__(self) -> int:
        return len(self._connections)

    def __iter__(self) -> Iterator[Connection]:
        return iter(tuple(self._connections))

    def add(self, connection: Connection) -> None:
        """Add a connection that has not authorized yet."""
        self._connections[connection] = None

    def remove(self, connection: Connection) -> None:
        """Remove a connection that has ended."""
        self._connections.pop(connection, None)

    def admit(
        self, connection: Connection, request: web.Request, principal: Principal | None
    ) -> bool:
        """Count a connection as its principal's, or before authorization as its address's, and end
        it when the token does. Return whether there is room."""
        token_id = None if principal is None else principal.token_id
        client = token_id or address_group(request.remote or "")
        others = [other for other in self._connections if other is not connection]
        own = sum(other.client == client for other in others)
        if len(others) >= self._max_clients:
            return False
        if client is not None and own >= max(1, int(self._max_clients * MAX_SHARE)):
            return False
        connection.client, connection.token_id = client, token_id
        if principal is None or principal.expires_at is None:
            connection.end_in(None)
        else:
            left_s = max(0.0, principal.expires_at - self._wall_clock())
            connection.end_in(min(left_s, MAX_LIFETIME_S))
        return True
