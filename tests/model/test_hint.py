"""Hints are worked with as arrays are, and are no part of the state; the group of a key is what routes it."""

from __future__ import annotations

from execution_support import decode, engines, execute

from cdep import service_of
from cdep.groups import group_of
from psmr import Array, Hint, StateMachine, group_of_key, partially_dependent, u32, u64

KEYS = 500


class Doubling(StateMachine):
    """Doubles a number, once for each key; afterwards it remembers."""

    asked = Array(u64, capacity=KEYS)
    remembered = Hint(u64, capacity=KEYS)

    @partially_dependent("key")
    def double(self, key: u32, number: u64) -> u64:
        """Twice the number; raises ValueError for 13."""
        self.asked[key] += u64(1)
        if self.remembered[key] != number * u64(2):
            self.remembered[key] = number * u64(2)
        if number == 13:
            raise ValueError("not that one")
        return self.remembered[key]

    @partially_dependent("key", access="read")
    def remembers(self, key: u32) -> u64:
        """What a service must not tell."""
        return self.remembered[key]

    @partially_dependent("key", access="read")
    def group(self, key: u32) -> u64:
        """The key's group."""
        return u64(group_of_key(key))


def test_what_is_remembered_is_no_part_of_the_state() -> None:
    log = [[("double", (key, 7)), ("remembers", (key,))] for key in (1, 70)]
    log += [[("double", (1, 13)), ("remembers", (1,))], [("group", (key,)) for key in (0, 63, 64, 130, 499)]]
    with engines(Doubling, (1, 2)) as made:
        for name, engine in made.items():
            empty = engine.digest()
            replies = execute(engine, log)
            found = [decode(engine.layout, batch, reply) for batch, reply in zip(log, replies, strict=True)]
            assert found[0] == found[1] == [14, 14]
            assert found[2][1] == 14, "a command that raised has left nothing"
            assert found[3] == [group_of(key) for key in (0, 63, 64, 130, 499)]
            changed = engine.digest()
            engine.memory.containers["remembered"].bind(
                engine.memory.access(0), engine.memory.bases[list(engine.memory.containers).index("remembered")]
            )[1] = u64(99)
            assert engine.digest() == changed != empty, name


def test_a_service_with_a_hint_says_so() -> None:
    assert "state remembered Hint(u64, capacity=500)" in service_of(Doubling).specification()
