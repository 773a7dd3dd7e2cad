"""The daemons that keep accounts in sync, as the API of another daemon uses them."""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from realtime.api.documents.cluster import ClusterDocument, EngineFigures, FeedFigures
from realtime.api.responses import ApiResponse

HOP_HEADER = "X-Realtime-Hop"
"""On a request that a front has passed on: it is not passed on again."""


class HopRequest(Struct, frozen=True, kw_only=True):
    """A request on its way to an owner."""

    method: str
    path: str
    """With the query, as the client sent it."""
    route: str
    """The first path of its route. What a request does is decided by it: the client may spell the
    path in many ways (`/orde%72s`)."""
    body: bytes = b""
    token: str | None = None
    key: str | None = None
    """`Idempotency-Key`."""
    content_type: str | None = None


class Owner(Struct, frozen=True):
    """A daemon that keeps accounts in sync."""

    address: str
    """Of its mesh."""
    name: str
    url: str | None = None
    """Its address for clients."""
    problem: str | None = None
    """Why nothing of it is received now; None while its feed is current."""


class HopUnsent(Exception):
    """The owner cannot be reached: nothing was sent."""


class HopLost(Exception):
    """The response was lost: what became of the request is not known here."""


class OwnerForwarder(Protocol):
    """Finds owners and sends requests to them."""

    @property
    def owners(self) -> Sequence[Owner | None]:
        """All of them; None is this daemon, if it has accounts of its own."""
        ...

    @property
    def are_halts_shared(self) -> bool:
        """Whether a halt at any daemon holds at all of them."""
        ...

    def get_owner(self, label: str) -> Owner | None:
        """The owner of a followed account; None: this daemon."""
        ...

    def make_id(self) -> str:
        """A client order id that was never used."""
        ...

    async def send(self, owner: Owner, request: HopRequest) -> ApiResponse:
        """The owner's response. Raises `HopUnsent` or `HopLost`."""
        ...


class ClusterInterface(Protocol):
    """What the API uses of it."""

    @property
    def is_complete(self) -> bool:
        """Whether every account that an owner has was received."""
        ...

    @property
    def forwarder(self) -> OwnerForwarder | None:
        """Passes requests on to owners; None: no other daemon is followed."""
        ...

    @property
    def missing(self) -> str:
        """What is not received yet, in a sentence."""
        ...

    def get_document(self) -> ClusterDocument: ...

    def get_figures(self) -> FeedFigures: ...

    def get_engine_figures(self) -> EngineFigures | None:
        """Return what is counted of the engine; None: there is none."""
        ...
