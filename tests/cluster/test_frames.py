"""Frames: whole or refused, in any pieces, and nothing of any length."""

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.cluster.frames import (
    FORMAT,
    HAS_EXTENDED,
    IS_COMPRESSED,
    MAX_FRAME_BYTES,
    AccountSnapshot,
    Beat,
    Body,
    Frame,
    FrameReader,
    Handed,
    Hello,
    encode_frame,
)
from realtime.cluster.record_changes import make_snapshot
from realtime.core.model import AccountLabel
from realtime.errors import ProtocolViolation
from tests.api.documents.made import BOOKS, record
from tests.cluster.made import ALPHA

HELLO = Hello(
    format=FORMAT,
    fleet="main",
    member="beta",
    run="b00t",
    version="1",
    head=7,
    resumed=False,
    epochs={ALPHA: 3, AccountLabel("bravo"): 0},
)
VALUES: list[Body] = [
    HELLO,
    make_snapshot(record(state=BOOKS), epoch=3, n=7),
    Beat(n=7, at=1.5, messages={ALPHA: 1.25}),
    Handed(label=ALPHA, n=8, owner="gamma", epoch=4),
]


@given(st.lists(st.sampled_from(VALUES), max_size=6), st.lists(st.integers(1, 400), max_size=40))
def test_frames_arrive_whole_whatever_the_pieces(values: list[Body], pieces: list[int]) -> None:
    data = b"".join(map(encode_frame, values))
    reader, received, start = FrameReader(), [], 0
    for size in [*pieces, len(data)]:
        received += [frame.decode() for frame in reader.read(data[start : start + size])]
        start += size
    assert received == values


def test_a_snapshot_is_compressed() -> None:
    (frame,) = FrameReader().read(encode_frame(VALUES[1]))
    assert frame.kind == "snapshot"
    assert frame.flags == IS_COMPRESSED
    assert isinstance(frame.decode(), AccountSnapshot)


def test_members_that_are_not_known_are_skipped() -> None:
    frame = Frame("beat", 0, b'{"n":1,"at":2,"of_a_later_format":{"x":[1]}}')
    assert frame.decode() == Beat(n=1, at=2.0)


@given(st.binary(max_size=300))
def test_garbage_is_refused_or_waits_for_more(data: bytes) -> None:
    try:
        for frame in FrameReader().read(data):
            frame.decode()
    except ProtocolViolation:
        pass  # anything else fails the test


@pytest.mark.parametrize(
    "header",
    [
        b"\xff\xff\xff\xff\x01\x00",  # 4 GB
        (MAX_FRAME_BYTES + 1).to_bytes(4, "big") + b"\x01\x00",
        b"\x00\x00\x00\x01\x01\x00",  # shorter than its own header
        b"\x00\x00\x00\x02\x00\x00",  # kind 0
        b"\x00\x00\x00\x02\x06\x00",  # an unknown kind
        b"\x00\x00\x00\x02\x01\x80",  # an unknown flag
        b"HTTP/1",
    ],
)
def test_a_header_is_refused_before_anything_is_kept(header: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        list(FrameReader().read(header))


@pytest.mark.parametrize(
    "frame",
    [
        Frame("snapshot", IS_COMPRESSED, b"no zlib"),
        Frame("snapshot", IS_COMPRESSED, zlib.compress(b"{}")[:-3]),
        Frame("snapshot", 0, b"{}"),
        Frame("hello", 0, b"\xff"),
        Frame("change", 0, b"[" * 5000),
        Frame("change", HAS_EXTENDED, b'{"label":"a","epoch":0,"n":"one"}'),
    ],
)
def test_a_body_that_does_not_fit_is_refused(frame: Frame) -> None:
    with pytest.raises(ProtocolViolation, match="frame"):
        frame.decode()


def test_a_few_bytes_cannot_become_gigabytes() -> None:
    bomb = zlib.compress(b" " * (MAX_FRAME_BYTES + 1))
    assert len(bomb) < 100_000
    with pytest.raises(ProtocolViolation, match="too large"):
        Frame("snapshot", IS_COMPRESSED, bomb).decode()
