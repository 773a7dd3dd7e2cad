"""The second look keeps what can be kept and refuses what would be a lie."""

import pytest
from msgspec import UNSET, Struct, UnsetType

from realtime.broker.lenient_decoder import decode_leniently, is_json
from realtime.errors import ProtocolViolation


class Inner(Struct, frozen=True):
    name: str
    size: str | None = None


class Outer(Struct, frozen=True):
    id: str
    status: str = ""
    count: int | UnsetType | None = UNSET
    flag: bool | None = None
    inner: Inner | None = None
    legs: tuple[Inner, ...] | None = None
    sizes: dict[str, str] | None = None


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b'{"id":"a"}', Outer("a")),
        (b'{"id":7}', Outer("7")),
        (b'{"id":-0.10e5}', Outer("-0.10e5")),
        (b'{"id":"a","count":"3"}', Outer("a", count=3)),
        (b'{"id":"a","count":"three"}', Outer("a")),
        (b'{"id":"a","count":null}', Outer("a", count=None)),
        (b'{"id":"a","flag":"true"}', Outer("a", flag=True)),
        (b'{"id":"a","flag":"yes"}', Outer("a")),
        (b'{"id":"a","inner":{"name":1,"size":2.50}}', Outer("a", inner=Inner("1", "2.50"))),
        (b'{"id":"a","inner":{"size":"2"}}', Outer("a")),
        (b'{"id":"a","legs":[{"name":1},{"name":"b"}]}', Outer("a", legs=(Inner("1"), Inner("b")))),
        (b'{"id":"a","sizes":{"X":1.0,"Y":"2"}}', Outer("a", sizes={"X": "1.0", "Y": "2"})),
        (b'{"id":"a","sizes":{"X":[]}}', Outer("a")),
        (b'{"id":"a","sizes":"none"}', Outer("a")),
    ],
)
def test_kept(sent: bytes, expected: Outer) -> None:
    assert decode_leniently(sent, Outer, "it") == expected


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        (b"{}", "it.id: missing"),
        (b'{"id":null}', "it.id: expected"),
        (b'{"id":true}', "it.id: expected"),
        (b'{"id":"a","status":[]}', "it.status: expected"),
        (b'{"id":"a","legs":[{"name":"b"},{}]}', "it.legs[1].name: missing"),
        (b'{"id":"a","legs":5}', "it.legs: expected an array, got b'5'"),
        (b"[]", "it: expected an object, got b'[]'"),
        (b'{"id":"a"', "it: expected an object"),
    ],
)
def test_refused(sent: bytes, message: str) -> None:
    with pytest.raises(ProtocolViolation) as caught:
        decode_leniently(sent, Outer, "it")
    assert caught.value.message.startswith(message)


def test_is_json() -> None:
    assert [is_json(body) for body in (b"{}", b" [1] ", b"null", b"", b"<p>", b"{} x")] == [
        True,
        True,
        True,
        False,
        False,
        False,
    ]
