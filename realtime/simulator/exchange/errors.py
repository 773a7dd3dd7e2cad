"""Error responses of the broker: an HTTP status and a JSON body.

Codes and messages are those that recordings show; where no recording is known the wording is ours.
Keys are sorted, as on the wire.
"""

MALFORMED = 40010001
UNPROCESSABLE = 42210000
FORBIDDEN = 40310000
NOT_FOUND = 40410000

Document = dict[str, object]


class ApiError(Exception):
    """A request that the broker rejects: the response's status and JSON-ready body."""

    def __init__(self, status: int, body: Document) -> None:
        super().__init__(f"{status} {body.get('message', '')}")
        self.status = status
        self.body = body


def malformed(message: str) -> ApiError:
    """Return 422 with the code of a request that cannot be read."""
    return _refusal(422, MALFORMED, message)


def unprocessable(message: str, **facts: str) -> ApiError:
    """Return 422 with the code of a request that breaks a trading rule."""
    return _refusal(422, UNPROCESSABLE, message, **facts)


def forbidden(message: str, **facts: str | list[str]) -> ApiError:
    """Return 403: not permitted, or not enough money or shares."""
    return _refusal(403, FORBIDDEN, message, **facts)


def not_found(message: str) -> ApiError:
    """Return 404."""
    return _refusal(404, NOT_FOUND, message)


def describe_value(value: object) -> str:
    """Return a client's value for an error message: a short text, else its type."""
    return value[:40] if isinstance(value, str) else type(value).__name__


def _refusal(status: int, code: int, message: str, **facts: str | list[str]) -> ApiError:
    body: Document = {"code": code, "message": message, **facts}
    return ApiError(status, dict(sorted(body.items())))
