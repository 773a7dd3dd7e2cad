"""What every fault has in common: the parts that the kinds in the files beside are made of.

A kind is a frozen Struct whose tag is the word used in `/_sim/faults`; its docstring is the help
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
    """On for `account` (null: all), for `for_s` seconds or `count` times or until deleted."""

    # An act strikes at once and is over, unless it is given a time or a count.
    is_one_shot: ClassVar[bool] = False
    # A state of things is on or off; it strikes nothing that could be counted.
    is_state: ClassVar[bool] = False
    # Used up, it still holds the sockets it has struck until they close or it is deleted.
    holds_sockets: ClassVar[bool] = False

    account: str | None = None
    for_s: Duration | None = None
    count: Count | None = None


class SocketFault(FaultSpec, frozen=True, kw_only=True):
    """A fault of the websocket as such."""


class FrameFault(FaultSpec, frozen=True, kw_only=True):
    """A fault of single events: every `every`-th one, or by chance, or only those named `event`."""

    every: Count = 1
    probability: Probability = 1.0
    event: Event | None = None


class RequestFault(FaultSpec, frozen=True, kw_only=True):
    """A fault of REST answers: only for this `method`, only for paths that begin with `path`."""

    method: Method | None = None
    path: PathStart | None = None

    def concerns(self, method: str, path: str) -> bool:
        """Whether a request is one of those the fault is about."""
        return (self.method is None or self.method.upper() == method) and (
            self.path is None or path.startswith(self.path)
        )
