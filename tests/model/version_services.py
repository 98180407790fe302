"""A service in three versions: the second with other fields, the third with a field that is another one under its old name."""

from __future__ import annotations

from psmr import Array, Map, StateMachine, partially_dependent, u64


class First:
    """The version that the log begins with."""

    class Book(StateMachine):
        """Numbers under numbers."""

        gone = Map(u64, u64, capacity=500)
        entries = Map(u64, u64, capacity=1000)
        also_gone = Array(u64, capacity=4096)
        totals = Array(u64, capacity=4096)

        @partially_dependent("key")
        def write(self, key: u64, value: u64) -> u64:
            """Keep a number everywhere."""
            self.gone.put(key, value)
            self.entries.put(key, value)
            self.also_gone[key] = value
            self.totals[key] = value
            return value


class Second:
    """Another reply, two fields less, one more, and the others in another order."""

    class Book(StateMachine, version=2):
        """Numbers under numbers."""

        totals = Array(u64, capacity=4096)
        marks = Map(u64, u64, capacity=100)
        entries = Map(u64, u64, capacity=1000)

        @partially_dependent("key")
        def write(self, key: u64, value: u64) -> u64:
            """What was there before, and the sum of all that was ever written."""
            before = self.entries.get(key, u64(0))
            self.entries.put(key, value)
            self.totals[key] = self.totals[key] + value
            return before * u64(1000) + self.totals[key]


class Third:
    """A field is larger."""

    class Book(StateMachine, version=3):
        """Numbers under numbers."""

        entries = Map(u64, u64, capacity=2000)

        @partially_dependent("key")
        def write(self, key: u64, value: u64) -> u64:
            """Keep a number."""
            self.entries.put(key, value)
            return value
