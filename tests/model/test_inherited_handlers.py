"""A service made of a mixin with state, handlers' helpers and hooks: compiled, it does what Python does with the same classes."""

from __future__ import annotations

from execution_support import decode, engines, execute

from psmr import Array, StateMachine, Table, partially_dependent, u32, u64

KEYS = 100
ROWS = 8
FEE = 1000


class Ledgers:
    """A block of rows a key: the last entries under it, and how many there were."""

    rows = Table(capacity=KEYS * ROWS, block=ROWS, text=u64, number=u32)
    counts = Array(u32, capacity=KEYS)

    def _enter(self, key: u32, text: u64) -> u64:
        count = self.counts[key]
        row = key * ROWS + (count & (ROWS - 1))
        self.rows.text[row] = text + u64(self._fee())
        self.rows.number[row] = count
        self.counts[key] = count + 1
        return self._total(key)

    def _total(self, key: u32) -> u64:
        total = u64(0)
        for place in range(ROWS):
            total += self.rows.text[key * ROWS + place]
        return total

    def _fee(self) -> int:
        return 0


class Free(Ledgers, StateMachine):
    """Nothing is added to an entry."""

    @partially_dependent("key")
    def enter(self, key: u32, text: u64) -> u64:
        """The sum of the key's last entries, this one included; raises IndexError for a key that there is not."""
        return self._enter(key, text)


class Priced(Free):
    """A fee is added to every entry."""

    def _fee(self) -> int:
        return FEE


def test_a_hook_that_a_subclass_overrides_is_its_own_in_both_forms() -> None:
    calls = [("enter", (key, number)) for number in range(3 * ROWS) for key in (0, 1, 63, 64, KEYS - 1, KEYS)]
    with engines(Priced, (2,)) as made:
        answers = [decode(engine.layout, calls, execute(engine, [calls])[0]) for engine in made.values()]
        digests = {engine.digest() for engine in made.values()}
    assert all(found == answers[0] for found in answers)
    assert len(digests) == 1
    for (_, (key, number)), reply in zip(calls, answers[0], strict=True):
        if key == KEYS:
            assert "IndexError" in reply.text
        else:
            assert reply == sum(entry + FEE for entry in range(max(0, number - ROWS + 1), number + 1))
