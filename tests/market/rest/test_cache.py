"""Entries in memory."""

from realtime.market.rest.cache import ENTRY_BYTES, Entry, MemoryCache


def entry(body: bytes = b"{}") -> Entry:
    return Entry(body, "application/json", 1.0, 2.0)


async def test_it_returns_what_was_written() -> None:
    cache = MemoryCache()
    await cache.write({"a": entry(b"1"), "b": entry(b"2")})
    assert await cache.read(["b", "c", "a"]) == [entry(b"2"), None, entry(b"1")]
    await cache.write({"a": entry(b"3")})
    assert (await cache.read(["a"]), len(cache)) == ([entry(b"3")], 2)


async def test_its_bytes_are_bounded_and_the_least_recently_used_go_first() -> None:
    size = 1 + 100 + ENTRY_BYTES
    cache = MemoryCache(max_bytes=10 * size)
    for key in "abcdefghij":
        await cache.write({key: entry(b"x" * 100)})
    await cache.read(["a"])
    await cache.write({"k": entry(b"x" * 100)})
    present = await cache.read(list("abk"))
    assert [found is not None for found in present] == [True, False, True]
    assert (cache.size_bytes, cache.evictions) == (10 * size, 1)
    for number in range(1000):
        await cache.write({str(number): entry(b"x" * (number % 200))})
        assert cache.size_bytes <= 10 * size


async def test_an_entry_that_would_remove_many_others_is_not_kept() -> None:
    cache = MemoryCache(max_bytes=10_000)
    await cache.write({"a": entry(b"x" * 500)})
    await cache.write({"a": entry(b"x" * 5000)})
    assert (await cache.read(["a"]), cache.size_bytes) == ([None], 0)


async def test_it_removes_entries_by_prefix() -> None:
    cache = MemoryCache()
    await cache.write({key: entry() for key in ("/a/x", "/a/y", "/ab", "/b")})
    assert await cache.invalidate("/a/") == 2
    assert len(cache) == 2
    assert await cache.invalidate("") == 2
    assert (len(cache), cache.size_bytes) == (0, 0)
