from __future__ import annotations

from storage_support import make, make_many

from psmr.storage.record_cache import RecordCache

SIZE = len(make(1).raw)


def cache_of(last: int, limit: int) -> RecordCache:
    cache = RecordCache(limit)
    for record in make_many(1, last):
        cache.add(record)
    return cache


def held(cache: RecordCache) -> list[int]:
    return [index for index in range(20) if cache.get(index) is not None]


def test_the_oldest_go_first_down_to_the_bound() -> None:
    cache = cache_of(9, 3 * SIZE)
    cache.shrink(9)
    assert held(cache) == [7, 8, 9]


def test_what_is_not_written_stays_whatever_the_bound() -> None:
    cache = cache_of(9, 0)
    cache.shrink(4)
    assert held(cache) == [5, 6, 7, 8, 9]
    cache.shrink(9)
    assert held(cache) == []


def test_what_is_cut_is_forgotten_and_no_longer_counts() -> None:
    cache = cache_of(9, 3 * SIZE)
    cache.cut(4, 9)
    cache.shrink(3)
    assert held(cache) == [1, 2, 3]
    cache.cut(1, 3)
    cache.add(make(1, term=2))
    assert held(cache) == [1]
