from hypothesis import given
from hypothesis import strategies as st

from realtime.cli.sse_parser import ServerSentEvent, SseParser


def events(text: bytes, last_id: str = "") -> list[ServerSentEvent]:
    parser = SseParser(last_id)
    parsed = [parser.parse_line(line) for line in text.splitlines(keepends=True)]
    return [event for event in parsed if event is not None]


def test_an_event_ends_with_an_empty_line() -> None:
    text = b'id: ab-7\nevent: row\ndata: {"a":1}\n\nevent: half\ndata: {}\n'
    assert events(text) == [ServerSentEvent("row", b'{"a":1}', "ab-7")]


def test_the_id_stays_until_another_arrives() -> None:
    text = b"id: a-1\nevent: row\ndata: 1\n\ndata: 2\n\nid:\nevent: resync\ndata: 3\n\n"
    assert events(text) == [
        ServerSentEvent("row", b"1", "a-1"),
        ServerSentEvent("message", b"2", "a-1"),
        ServerSentEvent("resync", b"3", ""),
    ]  # fmt: skip
    assert events(b"data: 1\n\n", "a-9")[0].last_id == "a-9"


def test_comments_and_empty_blocks_are_no_events() -> None:
    assert events(b": ping\n\nretry: 2000\n\nevent: row\n\nfuture: x\r\n\r\n") == []


def test_data_of_several_lines_is_joined() -> None:
    assert events(b"data: a\ndata:b\ndata:\n\n") == [ServerSentEvent("message", b"a\nb\n")]


@given(st.binary())
def test_any_bytes_can_be_parsed(text: bytes) -> None:
    for event in events(text):
        assert event.data is not None
