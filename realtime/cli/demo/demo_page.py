"""What the page shows of the demo: its faults until they are over, then the result."""

from collections.abc import Callable, Sequence

import msgspec
from msgspec import Struct, structs

from realtime.api.documents.timestamps import format_millis


class DemoStep(Struct, frozen=True):
    """One fault, and when it happens."""

    at_s: float
    text: str


class DemoDocument(Struct, frozen=True, kw_only=True):
    """Served as `/page/demo.json`."""

    started_at: str
    ends_at_s: float
    """When the faults are over, seconds after the start."""
    steps: Sequence[DemoStep]
    result: str | None = None
    """The summary, once there is one."""
    is_lost: bool = False
    """Whether the comparison with the broker found differences."""


class DemoPage:
    """Publishes the document to the page of this process."""

    def __init__(self, publish: Callable[[bytes], None]) -> None:
        self._publish = publish
        self._document: DemoDocument | None = None

    def start(self, steps: Sequence[DemoStep], *, now: float, ends_at_s: float) -> None:
        """Announce the faults. `now` is in epoch seconds."""
        self._set(DemoDocument(started_at=format_millis(now), ends_at_s=ends_at_s, steps=steps))

    def finish(self, result: str, *, is_lost: bool) -> None:
        """Show the result."""
        if self._document is not None:
            self._set(structs.replace(self._document, result=result, is_lost=is_lost))

    def _set(self, document: DemoDocument) -> None:
        self._document = document
        self._publish(msgspec.json.encode(document))
