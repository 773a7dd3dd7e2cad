from collections.abc import Callable

import pytest

from realtime.api.fastpath import response_cache as module
from realtime.api.fastpath.response_cache import MAX_HEAD, ParsedRequest, ResponseCache
from realtime.api.problems import Problem
from realtime.api.responses import JSON, ApiResponse, encode_response
from tests.api.documents.made import NOW
from tests.api.reader import Clock

HEAD = b"GET /x HTTP/1.1\r\n\r\n"
DATE = "Sat, 03 Oct 2026 04:00:00 GMT"


class Source:
    """A route whose answer the test moves."""

    def __init__(self) -> None:
        self.version: int | None = 1
        self.asked = 0
        self.answer = ApiResponse(body=b"one", headers={"Content-Type": JSON, "ETag": "1"})
        self.problem: Exception | None = None

    def __call__(self) -> ApiResponse:
        self.asked += 1
        if self.problem is not None:
            raise self.problem
        return self.answer


def meaning(
    source: Source, mark: Callable[[], object] | None = None, **more: object
) -> ParsedRequest:
    mark = mark or (lambda: source.version)
    return ParsedRequest(given=source.answer, answer=source, mark=mark, **more)  # type: ignore[arg-type]


def learned(source: Source, *, most: int = 10, clock: Clock | None = None) -> ResponseCache:
    plans = ResponseCache(clock or Clock(), most=most)
    assert plans.learn(HEAD, meaning(source), encode_response(source.answer, DATE), DATE)
    return plans


def test_what_is_not_known_is_left_to_the_library() -> None:
    assert ResponseCache(Clock()).reply(HEAD) is None


def test_the_route_is_asked_again_only_when_the_mark_has_moved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "rfc822_formatted_time", lambda: DATE)
    source = Source()
    plans = learned(source)
    first = encode_response(source.answer, DATE) + b"one"
    assert [plans.reply(HEAD) for _ in range(3)] == [first] * 3
    assert source.asked == 1
    source.version, source.answer = 2, ApiResponse(status=304, headers={"ETag": "2"})
    assert [plans.reply(HEAD) for _ in range(3)] == [encode_response(source.answer, DATE)] * 3
    assert (source.asked, plans.hits) == (2, 6)


def test_a_reply_does_not_outlive_its_second(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter(["Sat, 03 Oct 2026 04:00:01 GMT", "Sat, 03 Oct 2026 04:00:02 GMT"])
    monkeypatch.setattr(module, "rfc822_formatted_time", lambda: next(seconds))
    plans = learned(Source())
    assert b"04:00:01" in (plans.reply(HEAD) or b"")
    assert b"04:00:02" in (plans.reply(HEAD) or b"")


def test_without_a_mark_every_request_asks_the_route() -> None:
    source = Source()
    plans = ResponseCache(Clock())
    told = ParsedRequest(given=source.answer, answer=source, mark=None)
    assert plans.learn(HEAD, told, encode_response(source.answer, DATE), DATE)
    assert all(plans.reply(HEAD) for _ in range(3))
    assert source.asked == 3


@pytest.mark.parametrize("problem", [Problem("unknown_account", "x"), ZeroDivisionError()])
def test_what_goes_wrong_is_left_to_the_library(problem: Exception) -> None:
    source = Source()
    plans = learned(source)
    source.version, source.problem = 2, problem
    assert plans.reply(HEAD) is None
    source.problem, source.answer = None, ApiResponse(status=503, headers={})
    assert plans.reply(HEAD) is None
    assert plans.hits == 0


def test_only_an_answer_that_we_write_as_the_library_does_is_remembered() -> None:
    source = Source()
    plans = ResponseCache(Clock())
    ours = encode_response(source.answer, DATE)
    for theirs in (ours.replace(b"ETag: 1", b"ETag: 2"), ours.replace(b"200", b"201"), b""):
        assert not plans.learn(HEAD, meaning(source), theirs, DATE)
    assert plans.learn(HEAD, meaning(source), ours[:-2] + b"Vary: Origin\r\n\r\n", DATE)
    assert (plans.reply(HEAD) or b"").endswith(b"\r\nVary: Origin\r\n\r\none")


def test_a_plan_ends_with_its_permission() -> None:
    clock, source = Clock(), Source()
    plans = ResponseCache(clock)
    permitted = meaning(source, until=NOW + 5, holder="ann")
    plans.learn(HEAD, permitted, encode_response(source.answer, DATE), DATE)
    clock.now = NOW + 4.999
    assert plans.reply(HEAD)
    clock.now = NOW + 5
    assert plans.reply(HEAD) is None
    assert len(plans) == 0


def test_a_holder_can_be_revoked_at_once() -> None:
    source = Source()
    plans = ResponseCache(Clock())
    for holder in ("ann", "bob", None):
        head = f"GET /{holder} HTTP/1.1\r\n\r\n".encode()
        plans.learn(
            head, meaning(source, holder=holder), encode_response(source.answer, DATE), DATE
        )
    plans.revoke("ann")
    assert [bool(plans.reply(b"GET /%b HTTP/1.1\r\n\r\n" % h)) for h in (b"ann", b"bob")] == [
        False,
        True,
    ]
    plans.forget()
    assert len(plans) == 0


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """In number, in length, and in the replies of one second."""
    source = Source()
    plans = learned(source, most=3)
    for number in range(10):
        plans.learn(b"%d" % number, meaning(source), encode_response(source.answer, DATE), DATE)
    assert len(plans) == 3
    assert plans.reply(b"9")
    assert plans.reply(b"6") is None
    too_long = b"x" * (MAX_HEAD + 1)
    assert not plans.learn(too_long, meaning(source), encode_response(source.answer, DATE), DATE)
    monkeypatch.setattr(module, "KEPT_BYTES", 0)
    asked = source.asked
    assert plans.reply(b"8") == plans.reply(b"8")
    assert source.asked == asked + 2
