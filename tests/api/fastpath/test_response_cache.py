from collections.abc import Callable

import pytest

from realtime.api.fastpath import response_cache as module
from realtime.api.fastpath.response_cache import MAX_HEAD_BYTES, ParsedRequest, ResponseCache
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


def parsed(
    source: Source, mark: Callable[[], object] | None = None, **more: object
) -> ParsedRequest:
    mark = mark or (lambda: source.version)
    return ParsedRequest(given=source.answer, answer=source, mark=mark, **more)  # type: ignore[arg-type]


def learned(source: Source, *, max_requests: int = 10, clock: Clock | None = None) -> ResponseCache:
    cache = ResponseCache(clock or Clock(), max_requests=max_requests)
    assert cache.store_request(HEAD, parsed(source), encode_response(source.answer, DATE), DATE)
    return cache


def test_what_is_not_known_is_left_to_the_library() -> None:
    assert ResponseCache(Clock()).get_reply(HEAD) is None


def test_the_route_is_asked_again_only_when_the_mark_has_moved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "rfc822_formatted_time", lambda: DATE)
    source = Source()
    cache = learned(source)
    first = encode_response(source.answer, DATE) + b"one"
    assert [cache.get_reply(HEAD) for _ in range(3)] == [first] * 3
    assert source.asked == 1
    source.version, source.answer = 2, ApiResponse(status=304, headers={"ETag": "2"})
    assert [cache.get_reply(HEAD) for _ in range(3)] == [encode_response(source.answer, DATE)] * 3
    assert (source.asked, cache.hits) == (2, 6)


def test_a_reply_does_not_outlive_its_second(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter(["Sat, 03 Oct 2026 04:00:01 GMT", "Sat, 03 Oct 2026 04:00:02 GMT"])
    monkeypatch.setattr(module, "rfc822_formatted_time", lambda: next(seconds))
    cache = learned(Source())
    assert b"04:00:01" in (cache.get_reply(HEAD) or b"")
    assert b"04:00:02" in (cache.get_reply(HEAD) or b"")


def test_a_read_without_a_token_counts_for_its_address() -> None:
    source, asked = Source(), list[str]()

    def allows(key: str) -> bool:
        asked.append(key)
        return key != "192.0.2.2"

    cache = ResponseCache(Clock(), allows=allows)
    head = encode_response(source.answer, DATE)
    assert cache.store_request(HEAD, parsed(source, limits_address=True), head, DATE)
    assert cache.get_reply(HEAD, "192.0.2.1")
    assert cache.get_reply(HEAD, "192.0.2.2") is None
    assert cache.get_reply(HEAD, None), "this machine is not limited"
    assert cache.store_request(HEAD, parsed(source, token_id="ann"), head, DATE)
    assert cache.get_reply(HEAD, "192.0.2.2"), "its token is limited"
    assert cache.store_request(HEAD, parsed(source), head, DATE)
    assert cache.get_reply(HEAD, "192.0.2.2"), "nothing is limited without tokens"
    assert asked == ["192.0.2.1", "192.0.2.2", "ann"]


def test_without_a_mark_every_request_asks_the_route() -> None:
    source = Source()
    cache = ResponseCache(Clock())
    told = ParsedRequest(given=source.answer, answer=source, mark=None)
    assert cache.store_request(HEAD, told, encode_response(source.answer, DATE), DATE)
    assert all(cache.get_reply(HEAD) for _ in range(3))
    assert source.asked == 3


@pytest.mark.parametrize("problem", [Problem("unknown_account", "x"), ZeroDivisionError()])
def test_what_goes_wrong_is_left_to_the_library(problem: Exception) -> None:
    source = Source()
    cache = learned(source)
    source.version, source.problem = 2, problem
    assert cache.get_reply(HEAD) is None
    source.problem, source.answer = None, ApiResponse(status=503, headers={})
    assert cache.get_reply(HEAD) is None
    assert cache.hits == 0


def test_only_an_answer_that_we_write_as_the_library_does_is_remembered() -> None:
    source = Source()
    cache = ResponseCache(Clock())
    ours = encode_response(source.answer, DATE)
    for library_head in (ours.replace(b"ETag: 1", b"ETag: 2"), ours.replace(b"200", b"201"), b""):
        assert not cache.store_request(HEAD, parsed(source), library_head, DATE)
    assert cache.store_request(HEAD, parsed(source), ours[:-2] + b"Vary: Origin\r\n\r\n", DATE)
    assert (cache.get_reply(HEAD) or b"").endswith(b"\r\nVary: Origin\r\n\r\none")


def test_a_plan_ends_with_its_permission() -> None:
    clock, source = Clock(), Source()
    cache = ResponseCache(clock)
    permitted = parsed(source, expires_at=NOW + 5, token_id="ann")
    cache.store_request(HEAD, permitted, encode_response(source.answer, DATE), DATE)
    clock.now = NOW + 4.999
    assert cache.get_reply(HEAD)
    clock.now = NOW + 5
    assert cache.get_reply(HEAD) is None
    assert len(cache) == 0


def test_nothing_admitted_under_older_rules_is_answered_or_stored() -> None:
    source, generation = Source(), 1
    cache = ResponseCache(Clock(), generation=lambda: generation)
    head = encode_response(source.answer, DATE)
    assert cache.store_request(HEAD, parsed(source, generation=1), head, DATE)
    assert cache.get_reply(HEAD)
    generation = 2
    assert cache.get_reply(HEAD) is None
    assert len(cache) == 0
    assert not cache.store_request(HEAD, parsed(source, generation=1), head, DATE)
    assert cache.store_request(HEAD, parsed(source, generation=2), head, DATE)
    assert cache.get_reply(HEAD)
    cache.clear()
    assert len(cache) == 0


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """In number, in length, and in the replies of one second."""
    source = Source()
    cache = learned(source, max_requests=3)
    for number in range(10):
        cache.store_request(
            b"%d" % number, parsed(source), encode_response(source.answer, DATE), DATE
        )
    assert len(cache) == 3
    assert cache.get_reply(b"9")
    assert cache.get_reply(b"6") is None
    too_long = b"x" * (MAX_HEAD_BYTES + 1)
    assert not cache.store_request(
        too_long, parsed(source), encode_response(source.answer, DATE), DATE
    )
    monkeypatch.setattr(module, "MAX_REPLY_BYTES", 0)
    asked = source.asked
    assert cache.get_reply(b"8") == cache.get_reply(b"8")
    assert source.asked == asked + 2
