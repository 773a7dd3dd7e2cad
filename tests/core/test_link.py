"""How a link stands."""

from msgspec import structs

from realtime.core.link import Link


def test_a_link_begins_stale_and_not_live() -> None:
    """Before anything was read, a reader is told so."""
    assert Link().is_stale
    assert not Link().is_synced


def test_a_live_link_without_a_reason_is_current() -> None:
    """Live and stale are told apart: a live link may still be behind."""
    live = structs.replace(Link(), state="synced", stale_reason=None)
    assert live.is_synced
    assert not live.is_stale
    assert structs.replace(live, stale_reason="buffer lost").is_stale
