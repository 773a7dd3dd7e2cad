"""What the description needs to know of a route, whichever table it stands in."""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

Method = Literal["get", "post", "patch", "delete"]


class Operation(Struct, frozen=True, kw_only=True):
    """One method of one route."""

    method: Method = "get"
    paths: tuple[str, ...]
    summary: str
    query: type[Struct]
    """The struct whose fields are the parameters."""
    document: object
    """The type of the JSON answered; None if it is none."""
    media: tuple[str, ...] = ()
    """Other types of content that are answered."""
    events: Mapping[str, type[Struct]] = {}
    """Event → its document, where the answer is a stream of events."""
    body: type[Struct] | None = None
    """The type of the JSON sent; None if there is none."""
    statuses: tuple[int, ...] = (200,)
    """Of answers that are no problems."""
    problems: tuple[str, ...] = ()
    is_open: bool = False
    """Whether it needs no token where tokens are needed."""
    is_conditional: bool = False
    """Whether it knows `If-None-Match`."""
    is_repeatable: bool = False
    """Whether it knows `Idempotency-Key`."""
