"""All errors that this program raises itself, as one tree.

RealtimeError
├── ConfigError         files or environment are wrong; someone must edit something
├── LinkError           the connection to the broker failed; retrying later may help
│   ├── RateLimited     HTTP 429: too many requests
│   │   └── ConnectionLimitReached  the broker counts another connection of the account
│   ├── NotSent         the request did not leave this process
│   │   ├── NotOwner          another daemon owns the account
│   │   ├── EngineUnreachable the engine that decides ownership did not answer
│   │   │   └── EngineAnswerLost  and may have carried out the change all the same
│   │   ├── EngineHalted      the kill switch is on in the engine
│   │   └── IntentExists      an order of this id was recorded before
│   ├── FeedRefused     the plan of the data key does not include the feed
│   └── Deaf            the socket is open but does not deliver events
├── Refused             credentials or permissions; retrying will not help
│   └── KeyRejected     the broker rejected the key, in its own words
├── EtcdRefusal         etcd reported an error
│   └── EtcdCompacted   the revision is no longer known there
├── BrokerError         the broker responded with an error
└── ProtocolViolation   the broker's bytes are not what the protocol allows

aiohttp's and websockets' exceptions do not leave `broker/`, which translates them.
"""


class RealtimeError(Exception):
    """`message` states what went wrong; `remedy` states what a person can do, or is empty."""

    account_id: str | None = None
    """The account whose request failed, in results of many accounts."""

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}\n  remedy: {self.remedy}" if self.remedy else self.message


class ConfigError(RealtimeError):
    """A configuration file, the environment or a flag is wrong."""


class LinkError(RealtimeError):
    """The connection failed or went silent: transient.

    `status` is the HTTP status of a refused websocket handshake, `code` a websocket close code.
    """

    def __init__(
        self, message: str, *, remedy: str = "", status: int | None = None, code: int | None = None
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.status = status
        self.code = code


class RateLimited(LinkError):
    """HTTP 429. `retry_after_s` is the broker's own word on when, if it gave one."""

    def __init__(
        self, message: str, *, remedy: str = "", retry_after_s: float | None = None
    ) -> None:
        super().__init__(message, remedy=remedy, status=429)
        self.retry_after_s = retry_after_s


class ConnectionLimitReached(RateLimited):
    """The broker counts another connection of the account: our last one, or another program's."""


class FeedRefused(LinkError):
    """The plan of the data key does not include the feed. Another feed may work; plans change."""


class NotSent(LinkError):
    """The request did not leave this process: it cannot have happened.

    `retry_after_s` is set where the account's budget is spent, or its places are taken.
    """

    def __init__(
        self, message: str, *, remedy: str = "", retry_after_s: float | None = None
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.retry_after_s = retry_after_s


class NotOwner(NotSent):
    """This daemon does not own the account, or cannot know it any more. `owner` is the name of the
    daemon that does, if it is known."""

    def __init__(self, message: str, *, owner: str | None = None) -> None:
        super().__init__(message, retry_after_s=2.0)
        self.owner = owner


class EngineUnreachable(NotSent):
    """The engine that decides which daemon owns an account did not answer."""

    def __init__(self, message: str) -> None:
        super().__init__(message, retry_after_s=2.0)


class EngineAnswerLost(EngineUnreachable):
    """The engine may have carried out the change, but its answer did not arrive."""


class EngineHalted(NotSent):
    """The kill switch is on in the engine: no new order may leave from any daemon."""


class IntentExists(NotSent):
    """An order of this id was recorded before, maybe by another daemon: it is not sent again.

    `is_same`: by the same request. Otherwise the id belongs to another order.
    """

    def __init__(self, message: str, *, is_same: bool) -> None:
        super().__init__(message)
        self.is_same = is_same


class Deaf(LinkError):
    """REST knows events that the stream did not deliver: only a new socket delivers again."""


class Refused(RealtimeError):
    """Credentials or permissions were refused: fatal for the account until it is changed."""


class KeyRejected(Refused):
    """The broker rejected the key, in its own words: 401, or 403 without an order's code.

    A request with it did not take effect. One rejection may be a fault on the way; two mean that
    the key is invalid.
    """


class EtcdRefusal(RealtimeError):
    """etcd reported an error; `code` is its gRPC code."""

    def __init__(self, message: str, *, code: int = 0) -> None:
        super().__init__(message)
        self.code = code


class EtcdCompacted(EtcdRefusal):
    """A watch asks for a revision that etcd has compacted: everything must be listed again."""


class BrokerError(RealtimeError):
    """The broker answered with an error.

    `status` is HTTP's, `code` Alpaca's own number or None, `body` the answer as it came.
    """

    def __init__(self, message: str, *, status: int, code: int | None, body: bytes) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.body = body


class ProtocolViolation(RealtimeError):
    """The broker sent something that cannot be read."""
