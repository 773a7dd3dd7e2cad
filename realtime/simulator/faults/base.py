"""Base classes of all faults.

A fault type is a frozen Struct whose tag is its `kind` in `/_sim/faults`; its docstring is the help
shown there.
"""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta, Struct

Seconds = Annotated[float, Meta(ge=0, le=86_400)]
Duration = Annotated[float, Meta(gt=0, le=86_400)]
Count = Annotated[int, Meta(ge=1, le=1_000_000)]
Status = Annotated[int, Meta(ge=400, le=599)]
CloseCode = Annotated[int, Meta(ge=1000, le=4999)]
Probability = Annotated[float, Meta(gt=0, le=1)]
Event = Literal[
    "accepted", "calculated", "canceled", "done_for_day", "expired", "fill", "held", "new",
    "order_cancel_rejected", "order_replace_rejected", "partial_fill", "pending_cancel",
    "pending_new", "pending_replace", "rejected", "replaced", "stopped", "suspended", "trade_bust",
    "trade_correct",
]  # fmt: skip
Method = Annotated[
    str,
    Meta(pattern="^(?i:get|post|patch|delete)$", description="GET, POST, PATCH or DELETE"),
]
PathStart = Annotated[
    str, Meta(pattern="^/", description='the beginning of a path, such as "/v2/orders"')
]


class FaultSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """Active for `account` (null: all), for `for_s` seconds, `count` times or until deleted."""

    # Acts once, immediately, unless it has a time or a count.
    is_one_shot: ClassVar[bool] = False
    # Is on or off; has no count.
    is_state: ClassVar[bool] = False
    # When used up, it still affects its sockets until they close or it is deleted.
    holds_sockets: ClassVar[bool] = False

    account: str | None = None
    for_s: Duration | None = None
    count: Count | None = None


class SocketFault(FaultSpec, frozen=True, kw_only=True):
    """A fault of a websocket."""


class FrameFault(FaultSpec, frozen=True, kw_only=True):
    """A fault of single events: every `every`-th, by `probability`, or only those named `event`."""

    every: Count = 1
    probability: Probability = 1.0
    event: Event | None = None


class RequestFault(FaultSpec, frozen=True, kw_only=True):
    """A fault of REST responses: only for this `method`, only for paths that begin with `path`."""

    method: Method | None = None
    path: PathStart | None = None

    def concerns(self, method: str, path: str) -> bool:
        """Return whether the fault applies to a request."""
        return (self.method is None or self.method.upper() == method) and (
            self.path is None or path.startswith(self.path)
        )
