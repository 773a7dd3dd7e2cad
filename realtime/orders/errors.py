"""Why an order did not go, or did not come through, in one shape for REST, library and shell."""

from collections.abc import Mapping

MALFORMED = 40010001
"""Alpaca's code of a request that cannot be read."""
UNPROCESSABLE = 42210000
"""Alpaca's code of a request that breaks a trading rule."""


class Declined(Exception):
    """A decided no: there is no such order, and there will be none from this call.

    `code` is our stable word, `alpaca` what the broker said, or would have, in its own form.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        remedy: str | None = None,
        alpaca: Mapping[str, object] | None = None,
        retry_after_s: float | None = None,
        guard: str | None = None,
        reached_broker: bool = False,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.remedy = remedy
        self.alpaca = alpaca
        self.retry_after_s = retry_after_s
        self.guard = guard
        """Which guard said no, if it was one."""
        self.reached_broker = reached_broker
        """Whether it was the broker that said no."""


class Unresolved(Exception):
    """Nobody knows: the answer was lost, and the broker does not know the order, or not yet.

    Repeating the call with the same `client_order_id` or key asks the broker first and never
    places a second order.
    """

    def __init__(self, message: str, *, account_id: str, client_order_id: str | None) -> None:
        super().__init__(message)
        self.message = message
        self.account_id = account_id
        self.client_order_id = client_order_id


def malformed(message: str, *, field: str | None = None) -> Declined:
    """An order that cannot be read: as the broker would say it."""
    return _unsent(MALFORMED, message, field)


def unprocessable(message: str, *, field: str | None = None) -> Declined:
    """An order that breaks a trading rule: as the broker would say it."""
    return _unsent(UNPROCESSABLE, message, field)


def _unsent(code: int, message: str, field: str | None) -> Declined:
    said = message if field is None else f"{field}: {message}"
    return Declined("invalid_order", said, alpaca={"code": code, "message": said})
