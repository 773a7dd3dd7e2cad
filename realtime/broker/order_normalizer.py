"""Makes an order from the stream equal to the same order read by REST.

The stream carries nanoseconds, REST microseconds, rounded half up. Orders are kept in REST's form.
Executions are not changed: two of them may differ by less than a microsecond.
"""

from functools import lru_cache
from operator import attrgetter

from msgspec.structs import force_setattr

from realtime.core.model import Order
from realtime.core.timestamps import to_rest_precision

TIME_FIELDS = (
    "created_at",
    "updated_at",
    "submitted_at",
    "filled_at",
    "expired_at",
    "cancel_requested_at",
    "canceled_at",
    "failed_at",
    "replaced_at",
    "expires_at",
)

_get_times = attrgetter(*TIME_FIELDS)

_MICROS_LENGTH = len("2026-10-06T14:02:11.519102Z")
_SECONDS_LENGTH = len("2026-10-06T14:02:11.")
_NEXT_DIGIT = dict(zip("012345678", "123456789", strict=True))


def normalize_order(order: Order) -> Order:
    """Round every time of an order, and of its legs, to microseconds, in place; return the order.

    The caller must be its only owner: it has just decoded it.
    """
    for name, time in zip(TIME_FIELDS, _get_times(order), strict=True):
        if time is not None and len(time) > _MICROS_LENGTH:
            force_setattr(order, name, round_to_micros(time))
    if order.legs:
        for leg in order.legs:
            normalize_order(leg)
    return order


@lru_cache(maxsize=1024)  # an order's events repeat its times of creation and submission
def round_to_micros(time: str) -> str:
    """Return the same as `to_rest_precision`, nine times as fast for times like `….123456789Z`.

    `time` is longer than microseconds are; one that cannot be parsed is returned unchanged.
    """
    if time[-1] == "Z" and time[_SECONDS_LENGTH:-1].isdecimal():
        sixth, seventh = time[_SECONDS_LENGTH + 5], time[_SECONDS_LENGTH + 6]
        if seventh < "5":
            cut = time[: _SECONDS_LENGTH + 6].rstrip("0")
            if cut[-1] != ".":
                return cut + "Z"
        elif sixth != "9":
            return f"{time[: _SECONDS_LENGTH + 5]}{_NEXT_DIGIT[sixth]}Z"
    try:  # a carry, or another form
        return to_rest_precision(time) or time
    except ValueError:  # a year outside the calendar
        return time
