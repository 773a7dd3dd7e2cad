"""A link that lets a browser in, as the daemon tells it."""

from msgspec import Struct


class SessionLink(Struct, frozen=True):
    """What is used of it."""

    path: str
