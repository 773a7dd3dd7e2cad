"""What a handler returns when the response is in the history files: the dispatcher fetches it."""

from collections.abc import Callable

from msgspec import Struct

from realtime.api.history.messages import HistoryCall
from realtime.api.responses import ApiResponse


class HistoryRequest(Struct, frozen=True, kw_only=True):
    """A call, and what makes the response of its result."""

    call: HistoryCall
    finish: Callable[[ApiResponse], ApiResponse] | None = None
    fallback: Callable[[], ApiResponse] | None = None
    """Makes the response where the files cannot be read; without it, that is an error."""
