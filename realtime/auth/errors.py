"""Why a token is not believed. The reader is told as much as a holder of the token may know."""

from typing import Literal

from realtime.errors import RealtimeError

Code = Literal["token_missing", "token_invalid", "token_expired"]


class TokenRefused(RealtimeError):
    """A token that is not believed. `code` is what the reader is answered.

    What depends on the content is only told once the signature holds: before that, every token is
    a stranger's guess and gets one answer.
    """

    def __init__(self, code: Code, message: str, *, is_unknown_key: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.is_unknown_key = is_unknown_key
        """It names a key that we do not have; its issuer may have made one since."""
