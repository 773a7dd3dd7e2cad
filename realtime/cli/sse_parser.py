"""Parses server-sent events (WHATWG HTML, "Server-sent events")."""

from msgspec import Struct


class ServerSentEvent(Struct, frozen=True):
    """One event; `data` is JSON, `last_id` empty where the stream cannot be resumed."""

    name: str
    data: bytes
    last_id: str = ""


class SseParser:
    """Collects lines until an event is complete."""

    def __init__(self, last_id: str = "") -> None:
        self._last_id = last_id
        self._name = ""
        self._data: list[bytes] = []

    def parse_line(self, line: bytes) -> ServerSentEvent | None:
        """Parse a line with its end; return the event that it completes, if it does."""
        line = line.rstrip(b"\r\n")
        if not line:
            return self._complete()
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        match field:
            case b"event":
                self._name = value.decode("utf-8", "replace")
            case b"data":
                self._data.append(value)
            case b"id" if b"\0" not in value:
                self._last_id = value.decode("utf-8", "replace")
            case _:
                pass  # a comment, `retry`, or a field of a later version
        return None

    def _complete(self) -> ServerSentEvent | None:
        name, data = self._name, self._data
        self._name, self._data = "", []
        return ServerSentEvent(name or "message", b"\n".join(data), self._last_id) if data else None
