"""Ids are well-formed, rise where they must, and follow from the seed alone."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from realtime.simulator.exchange.accounts.id_generator import IdGenerator
from realtime.simulator.exchange.timestamps import to_micros


def test_uuids_are_of_version_four() -> None:
    """The bits of version and variant are set."""
    uuid = IdGenerator("a", lambda: 0).uuid()
    assert UUID(uuid).version == 4
    assert str(UUID(uuid)) == uuid


def test_event_ids_carry_their_millisecond() -> None:
    """A ULID of 26 letters; its first ten are the time, as in the recorded frames."""
    event_id = IdGenerator("a", lambda: 0).event_id(1_791_295_331_519_102_000)
    assert len(event_id) == 26
    assert event_id.startswith("01M48RB75Z")


@given(st.lists(st.integers(0, 3_000_000), min_size=2, max_size=30))
def test_event_ids_rise(waits: list[int]) -> None:
    """Within a millisecond and across it."""
    generator = IdGenerator("a", lambda: 0)
    at = 1_791_295_331_000_000_000
    generator = IdGenerator("a", lambda: 0)
    ids = []
    for wait in waits:
        at += wait
        ids.append(generator.event_id(at))
    assert ids == sorted(set(ids))


@given(st.lists(st.integers(0, 5_000), min_size=2, max_size=50))
def test_stamps_differ_even_in_microseconds(readings: list[int]) -> None:
    """Two things that happen to an account never share a REST time; a clock may even go back."""
    clock = iter(readings)
    ids = IdGenerator("a", lambda: next(clock))
    stamps = [to_micros(ids.next_time()) for _ in readings]
    assert stamps == sorted(set(stamps))


def test_time_changes_no_uuid() -> None:
    """Whether two events fall into one millisecond or into two, the next order has the same id."""

    def after(second_event: int) -> str:
        ids = IdGenerator("a", lambda: 0)
        ids.event_id(0)
        ids.event_id(second_event)
        return ids.uuid()

    assert after(0) == after(5_000_000)


def test_seed_determines_ids() -> None:
    """Same seed, same ids; another seed, others."""
    assert IdGenerator("a", lambda: 0).uuid() == IdGenerator("a", lambda: 0).uuid()
    assert IdGenerator("a", lambda: 0).uuid() != IdGenerator("b", lambda: 0).uuid()
