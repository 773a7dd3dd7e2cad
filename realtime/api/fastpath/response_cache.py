"""What request heads mean, remembered: the same bytes always ask the same thing.

Programs that poll send byte-identical heads. Reading HTTP, finding the route, checking parameters
(and tokens, with the clock) are functions of those bytes, so their result can be kept: a `Plan`.
What it answers is never kept longer than it is true: a plan asks its route again whenever the
`mark` of what the answer depends on has moved, and the whole reply, whose `Date` changes anyway,
lives at most until the end of the second in which it was first given.

A plan is made by a request that the HTTP library has served in full, and kept only if our writing
of that answer is the library's, letter for letter. Whatever a plan cannot answer with 200 or 304 it
leaves to the library.
"""

from collections.abc import Callable

from aiohttp import web
from aiohttp.helpers import rfc822_formatted_time
from msgspec import Struct

from realtime.api.responses import ApiResponse, encode_response

MAX_PLANS = 4096
"""Heads remembered. A thousand accounts with four kinds of readers; the oldest leaves first."""

MAX_HEAD = 4096
"""Longer heads are left to the library: what is remembered stays under 20 MB."""

KEPT_BYTES = 32 * 1024 * 1024
"""Whole replies kept for the running second; beyond, each is put together for its reader."""


class ParsedRequest(Struct, frozen=True, kw_only=True):
    """What a request that was served meant: all that is needed to serve it again."""

    given: ApiResponse
    """What it was answered."""
    answer: Callable[[], ApiResponse]
    """Asks the route again; may raise whatever the route raises."""
    mark: Callable[[], object] | None
    """Of what the answer depends on: equal marks, equal answers. None: it is new at every call."""
    until: float | None = None
    """When the permission to ask this ends, epoch seconds; None: never."""
    holder: str | None = None
    """Whose permission it was, for `Plans.revoke`."""


MEANING = web.RequestKey("meaning", ParsedRequest)
"""Where an endpoint leaves what the request meant, if that may be remembered."""


class CachedRequest:
    """One head's meaning, and the reply of the running second."""

    __slots__ = ("added", "answer", "holder", "mark", "reply", "reply_mark", "until")

    def __init__(self, meaning: ParsedRequest, added: bytes) -> None:
        self.answer = meaning.answer
        self.mark = meaning.mark
        self.until = meaning.until
        self.holder = meaning.holder
        self.added = added
        """Header lines that are not the route's: those of other origins' pages, for instance."""
        self.reply: bytes | None = None
        self.reply_mark: object = None


class ResponseCache:
    """head → plan, bounded. `clock` gives epoch seconds."""

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        most: int = MAX_PLANS,
        allows: Callable[[str], bool] = lambda holder: True,
    ) -> None:
        self.hits = 0
        """Requests answered from here."""
        self._clock = clock
        self._allows = allows
        """Whether a holder may ask once more now; the library asks, too, and tells if not."""
        self._most = most
        self._plans: dict[bytes, CachedRequest] = {}
        self._date = ""
        self._kept: list[CachedRequest] = []
        self._kept_bytes = 0

    def __len__(self) -> int:
        return len(self._plans)

    def reply(self, head: bytes) -> bytes | None:
        """The reply to a head, as the HTTP library would write it now; None if it must be asked."""
        plan = self._plans.get(head)
        if plan is None:
            return None
        if plan.until is not None and self._clock() >= plan.until:
            del self._plans[head]
            return None
        if plan.holder is not None and not self._allows(plan.holder):
            return None
        date = rfc822_formatted_time()
        if date is not self._date:
            self._begin_second(date)
        mark = None if plan.mark is None else plan.mark()
        if plan.reply is None or plan.reply_mark != mark or mark is None:
            return self._ask(plan, mark)
        self.hits += 1
        return plan.reply

    def learn(self, head: bytes, meaning: ParsedRequest, theirs: bytes, date: str) -> bool:
        """Remember a head that the library answered with the head `theirs`; whether it could be."""
        ours = encode_response(meaning.given, date)[: -len(b"\r\n")]
        if len(head) > MAX_HEAD or not theirs.startswith(ours):
            return False
        self._plans.pop(head, None)
        while len(self._plans) >= self._most:
            del self._plans[next(iter(self._plans))]
        self._plans[head] = CachedRequest(meaning, theirs[len(ours) : -len(b"\r\n")])
        return True

    def revoke(self, holder: str) -> None:
        """Forget what a holder of permissions asked: from now on each request is checked again."""
        self._plans = {h: plan for h, plan in self._plans.items() if plan.holder != holder}

    def forget(self) -> None:
        """Forget everything: the rules by which requests are understood have changed."""
        self._plans.clear()

    def _ask(self, plan: CachedRequest, mark: object) -> bytes | None:
        try:
            answer = plan.answer()
        except Exception:  # noqa: BLE001 - the library asks the route again, and tells what is wrong
            return None
        if answer.status not in (200, 304):
            return None
        reply = encode_response(answer, self._date, plan.added) + answer.body
        if mark is not None and self._kept_bytes + len(reply) <= KEPT_BYTES:
            if plan.reply is None:
                self._kept.append(plan)
            self._kept_bytes += len(reply)
            plan.reply, plan.reply_mark = reply, mark
        self.hits += 1
        return reply

    def _begin_second(self, date: str) -> None:
        for plan in self._kept:
            plan.reply = None
        self._kept.clear()
        self._kept_bytes = 0
        self._date = date
