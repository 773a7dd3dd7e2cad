"""Responses by request bytes: the same head always asks for the same thing.

Programs that poll send byte-identical heads. Parsing HTTP, finding the route and checking
parameters and token depend on those bytes alone, so the result is cached as a `CachedRequest`. What
it answers is never kept longer than it is true:

- The handler runs again whenever the version that its response depends on has changed.
- The complete reply, whose `Date` changes anyway, lives at most until the end of its second.
- The permission is checked each time: its expiry against the clock, the client's rate, and its
  *generation*, a number that rises whenever the rules for tokens change. A request that was
  admitted under older rules is neither answered from here nor stored, however slow its client is.

A request is cached only after the HTTP library has served it completely, and only if our encoding
of the response head equals the library's, byte for byte. All but 200 and 304 goes to the library.
"""

from collections import Counter
from collections.abc import Callable
from itertools import islice

from aiohttp import web
from aiohttp.helpers import rfc822_formatted_time
from msgspec import Struct

from realtime.api.responses import ApiResponse, encode_response

MAX_CACHED_REQUESTS = 4096
"""A thousand accounts with four kinds of clients; the oldest is removed first."""

MAX_HEAD_BYTES = 4096
"""Longer heads are not cached, which bounds the cache to 20 MB."""

MAX_RENDERS_AHEAD = 3
"""Renderings of a reply between two requests for it: a fill, the balances that follow it, and one
more. A client that does not poll again costs no more than these."""

MAX_RENDERS_PER_REFRESH = 8
"""Replies of one account rendered at once: less than a millisecond."""

MAX_REPLY_BYTES = 32 * 1024 * 1024
"""Complete replies of the current second; beyond this, each is encoded for its client."""


class ParsedRequest(Struct, frozen=True, kw_only=True):
    """A request that a handler has answered: everything needed to answer it again."""

    given: ApiResponse
    """The response."""
    answer: Callable[[], ApiResponse]
    """Runs the handler again; may raise whatever the handler raises."""
    mark: Callable[[], object] | None
    """Version of what the response depends on. None: the response is new at every call."""
    route: str = ""
    """For counting."""
    account_id: str | None = None
    """The account whose version `mark` is; None if it is not that of one account."""
    expires_at: float | None = None
    """When the permission ends, epoch seconds; None: never."""
    token_id: str | None = None
    """The token that permitted it."""
    limits_address: bool = False
    """Whether it counts for the address of its client, because reads are open and it has no
    token."""
    generation: int = 0
    """The rules under which it was admitted."""


PARSED_REQUEST = web.RequestKey("parsed_request", ParsedRequest)
"""Where a handler leaves the parsed request if it may be cached."""


class CachedRequest:
    """One parsed request head, and its reply of the current second."""

    __slots__ = (
        "account_id",
        "answer",
        "expires_at",
        "extra_lines",
        "generation",
        "limits_address",
        "mark",
        "renders_left",
        "reply",
        "reply_mark",
        "route",
        "token_id",
    )

    def __init__(self, parsed: ParsedRequest, extra_lines: bytes) -> None:
        self.answer = parsed.answer
        self.mark = parsed.mark
        self.route = parsed.route
        self.account_id = parsed.account_id
        self.renders_left = MAX_RENDERS_AHEAD
        """Renderings ahead of the next request."""
        self.expires_at = parsed.expires_at
        self.token_id = parsed.token_id
        self.limits_address = parsed.limits_address
        self.generation = parsed.generation
        self.extra_lines = extra_lines
        """Header lines that are not the handler's, such as those of CORS."""
        self.reply: bytes | None = None
        self.reply_mark: object = None


class ResponseCache:
    """Request head → cached request, bounded. `clock` gives epoch seconds."""

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        max_requests: int = MAX_CACHED_REQUESTS,
        route_counts: Counter[tuple[str, str]] | None = None,
        allows: Callable[[str], bool] = lambda token_id: True,
        generation: Callable[[], int] = lambda: 0,
    ) -> None:
        self._route_counts = Counter() if route_counts is None else route_counts
        self.hits = 0
        """Requests answered from here."""
        self._clock = clock
        self._allows = allows
        """Whether a token, or an address, may send one more request now. If not, the library's path
        refuses it."""
        self._generation = generation
        """Number of the rules in force; rises with every change of keys or rules."""
        self._max_requests = max_requests
        self._requests: dict[bytes, CachedRequest] = {}
        self._polled: dict[str, dict[CachedRequest, None]] = {}
        """account → its requests that were used since they were last rendered ahead"""
        self._date = ""
        self._with_reply: list[CachedRequest] = []
        self._reply_bytes = 0

    def __len__(self) -> int:
        return len(self._requests)

    def get_reply(self, head: bytes, address: str | None = None) -> bytes | None:
        """Return the reply as the HTTP library would write it now; None if the library must.

        `address`: what the client's address is limited by (`address_group`); None: it is not.
        """
        cached = self._requests.get(head)
        # 1. never seen, or removed
        if cached is None:
            return None
        # 2. admitted under older rules
        if cached.generation != self._generation():
            self._remove(head)
            return None
        # 3. the token has expired
        if cached.expires_at is not None and self._clock() >= cached.expires_at:
            self._remove(head)
            return None
        # 4. the token, or the address where reads need none, has used up its rate
        key = address if cached.limits_address else cached.token_id
        if key is not None and not self._allows(key):
            return None
        # 5. a new second: replies of the last one carry an old `Date`
        date = rfc822_formatted_time()
        if date is not self._date:
            self._start_second(date)
        if cached.account_id is not None:
            cached.renders_left = MAX_RENDERS_AHEAD
            self._polled.setdefault(cached.account_id, {})[cached] = None
        # 6. the data has changed, or the response is new at every call: run the handler
        mark = None if cached.mark is None else cached.mark()
        if cached.reply is None or cached.reply_mark != mark or mark is None:
            reply = self._render(cached, mark)
            if reply is not None:
                self._count_hit(cached)
            return reply
        # 7. the reply of this second
        self._count_hit(cached)
        return cached.reply

    def store_request(
        self, head: bytes, parsed: ParsedRequest, library_head: bytes, date: str
    ) -> bool:
        """Cache a request that the library answered with `library_head`; whether that was possible.

        Not if the rules have changed since it was admitted, while a slow client read the response.
        """
        if parsed.generation != self._generation():
            return False
        our_head = encode_response(parsed.given, date)[: -len(b"\r\n")]
        if len(head) > MAX_HEAD_BYTES or not library_head.startswith(our_head):
            return False
        if head in self._requests:
            self._remove(head)
        while len(self._requests) >= self._max_requests:
            self._remove(next(iter(self._requests)))
        self._requests[head] = CachedRequest(parsed, library_head[len(our_head) : -len(b"\r\n")])
        return True

    def is_polled(self, account_id: str) -> bool:
        """Whether `refresh` would render a reply of this account."""
        return account_id in self._polled

    def refresh(self, account_id: str) -> None:
        """Render replies of an account that has changed, ahead of the next requests for them."""
        date = rfc822_formatted_time()
        if date is not self._date:
            self._start_second(date)
        for cached in list(islice(self._polled.get(account_id, ()), MAX_RENDERS_PER_REFRESH)):
            cached.renders_left -= 1
            if cached.renders_left == 0:
                self._forget_poll(cached)
            mark = None if cached.mark is None else cached.mark()
            if mark is not None and cached.reply_mark != mark:
                self._render(cached, mark)

    def clear(self) -> None:
        """Remove everything."""
        self._requests.clear()
        self._polled.clear()
        self._with_reply.clear()
        self._reply_bytes = 0

    def _count_hit(self, cached: CachedRequest) -> None:
        self.hits += 1
        self._route_counts["GET", cached.route] += 1

    def _remove(self, head: bytes) -> None:
        self._forget_poll(self._requests.pop(head))

    def _forget_poll(self, cached: CachedRequest) -> None:
        if cached.account_id is None or cached.account_id not in self._polled:
            return
        polled = self._polled[cached.account_id]
        polled.pop(cached, None)
        if not polled:
            del self._polled[cached.account_id]

    def _render(self, cached: CachedRequest, mark: object) -> bytes | None:
        try:
            response = cached.answer()
        except Exception:  # noqa: BLE001 - the library runs the handler again and reports it
            return None
        if response.status not in (200, 304):
            return None
        reply = encode_response(response, self._date, cached.extra_lines) + response.body
        if mark is not None and self._reply_bytes + len(reply) <= MAX_REPLY_BYTES:
            if cached.reply is None:
                self._with_reply.append(cached)
            self._reply_bytes += len(reply)
            cached.reply, cached.reply_mark = reply, mark
        return reply

    def _start_second(self, date: str) -> None:
        for cached in self._with_reply:
            cached.reply = None
        self._with_reply.clear()
        self._reply_bytes = 0
        self._date = date
