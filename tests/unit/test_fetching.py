"""A snapshot fetched part by part, over a network that loses, repeats and reorders."""

from __future__ import annotations

from random import Random

import pytest

from psmr.core.fetching import GIVE_UP_US, NEVER_US, PARTS_AHEAD, PATIENCE_US, Ask, Fetching

LEADER = 7


@pytest.mark.parametrize("seed", range(30))
def test_every_byte_arrives_once_and_in_order(seed: int) -> None:
    random = Random(seed)
    content = random.randbytes(random.randrange(1, 2_000))
    part_bytes = random.choice((1, 7, 64, 4_000))
    fetching = Fetching(LEADER, 5, len(content), 0, part_bytes=part_bytes)
    received = bytearray()
    under_way: list[Ask] = fetching.ask()
    now_us = 0
    while not fetching.is_complete:
        now_us += random.randrange(50_000)
        under_way += fetching.pass_time(now_us)
        assert len(content) < 20 * part_bytes or len(under_way) < 20 * PARTS_AHEAD
        if under_way:
            ask = under_way.pop(random.randrange(len(under_way)) if random.random() < 0.3 else 0)
            if random.random() < 0.1:
                under_way.append(ask)
            if random.random() < 0.2:
                continue
            part = content[ask.offset : ask.offset + ask.count]
            if fetching.wants(ask.index, ask.offset, len(part)):
                received += part
                under_way += fetching.take(len(part), now_us)
    assert received == content
    assert fetching.due_us == NEVER_US
    assert fetching.pass_time(now_us + GIVE_UP_US) == []


def test_only_the_next_part_of_this_snapshot_is_wanted() -> None:
    fetching = Fetching(LEADER, 5, 100, 0, held_bytes=10, part_bytes=8)
    assert fetching.wants(5, 10, 90)
    for index, offset, count in ((4, 10, 8), (5, 9, 8), (5, 11, 8), (5, 10, 0), (5, 10, 91)):
        assert not fetching.wants(index, offset, count)


def test_what_is_missing_is_asked_for_again_after_a_while() -> None:
    fetching = Fetching(LEADER, 5, 100, 0, part_bytes=10)
    asked = fetching.ask()
    assert [ask.offset for ask in asked] == list(range(0, 10 * PARTS_AHEAD, 10))
    assert fetching.ask() == fetching.pass_time(PATIENCE_US - 1) == []
    fetching.take(10, 1_000)
    assert fetching.due_us == 1_000 + PATIENCE_US
    assert [ask.offset for ask in fetching.pass_time(1_000 + PATIENCE_US)] == list(range(10, 10 + 10 * PARTS_AHEAD, 10))


def test_another_offer_is_taken_when_this_one_comes_to_nothing() -> None:
    fetching = Fetching(LEADER, 5, 100, 0)
    assert not fetching.yields_to(LEADER, 5, GIVE_UP_US - 1)
    assert not fetching.yields_to(8, 6, GIVE_UP_US - 1)
    assert not fetching.yields_to(LEADER, 6, PATIENCE_US - 1)
    assert fetching.yields_to(LEADER, 6, PATIENCE_US)
    assert not fetching.yields_to(LEADER, 5, PATIENCE_US)
    assert fetching.yields_to(8, 5, GIVE_UP_US)
