"""Why an order was not placed, or that its status is unknown: for HTTP, library and commands."""

from collections.abc import Mapping

MALFORMED = 40010001
"""Alpaca's code of a request that cannot be read."""
UNPROCESSABLE = 42210000
"""Alpaca's code of a request that breaks a trading rule."""


class Declined(Exception):
    """A definite refusal: there is no such order, and none will result from this call.

    `code` is our stable code, `alpaca` what the broker responded, or would have, in its own form.
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
        account_id: str | None = None,
        broker_status: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.remedy = remedy
        self.alpaca = alpaca
        self.retry_after_s = retry_after_s
        self.guard = guard
        """Name of the risk check that refused, if it was one."""
        self.reached_broker = reached_broker
        """Whether the broker refused."""
        self.account_id = account_id
        """The account of the order; None if it was refused before one was chosen."""
        self.broker_status = broker_status
        """The HTTP status of the broker's refusal; None if it was not the broker's."""


class Unresolved(Exception):
    """Status unknown: the response was lost, and the broker does not know the order, or not yet.

    Repeating the call with the same `client_order_id` or key looks the order up first and never
    places a second one.
    """

    def __init__(self, message: str, *, account_id: str, client_order_id: str | None) -> None:
        super().__init__(message)
        self.message = message
        self.account_id = account_id
        self.client_order_id = client_order_id


def malformed(message: str, *, field: str | None = None) -> Declined:
    """Return the refusal of an order that cannot be read, in the broker's form."""
    return _unsent(MALFORMED, message, field)


def unprocessable(message: str, *, field: str | None = None) -> Declined:
    """Return the refusal of an order that breaks a trading rule, in the broker's form."""
    return _unsent(UNPROCESSABLE, message, field)


def _unsent(code: int, message: str, field: str | None) -> Declined:
    detail = message if field is None else f"{field}: {message}"
    return Declined("invalid_order", detail, alpaca={"code": code, "message": detail})
