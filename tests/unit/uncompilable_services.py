"""Services whose handlers are fine to Python, or look so, and not to the compiler; the line to be named is marked."""

from __future__ import annotations

from psmr import Event, Map, StateMachine, dependent, partially_dependent, u64


class KeepsADict(StateMachine):
    """A dict of two kinds of key."""

    table = Map(u64, u64, capacity=100)

    @partially_dependent("key")
    def get(self, key: u64) -> u64:
        return self.table.get(key, 0)

    @partially_dependent("key")
    def count(self, key: u64) -> u64:
        kinds = {1: 2, "a": 3}  # here
        return u64(len(kinds))


class Divides(StateMachine):
    """A reply that has become a float."""

    table = Map(u64, u64, capacity=100)

    @partially_dependent("key")
    def half(self, key: u64) -> u64:  # here
        return self.table.get(key, 0) / u64(2)


class StoresText(StateMachine):
    """A value of the wrong type."""

    table = Map(u64, u64, capacity=100)

    @partially_dependent("key")
    def put(self, key: u64) -> u64:
        self.table.put(key, "one")  # here
        return key


class Misspells(StateMachine):
    """State that is not there."""

    table = Map(u64, u64, capacity=100)

    @partially_dependent("key")
    def put(self, key: u64) -> u64:
        self.tabel.put(key, key)  # here
        return key


class WalksAsADict(StateMachine):
    """A method of a dictionary."""

    table = Map(u64, u64, capacity=100)

    @dependent(access="read")
    def total(self) -> u64:
        found = u64(0)
        for _key, value in self.table.items():  # here
            found += value
        return found


class WritesAsADict(StateMachine):
    """An item of a map."""

    table = Map(u64, u64, capacity=100)

    @partially_dependent("key")
    def put(self, key: u64) -> u64:
        self.table[key] = key  # type: ignore[index]  # here
        return key


class NamesWhatItEmits(StateMachine):
    """An event's fields by name."""

    told = Event(key=u64)

    @partially_dependent("key")
    def tell(self, key: u64) -> u64:
        self.told.emit(key=key)  # here
        return key


class OpensAFile(StateMachine):
    """What the compiler cannot even read, in a helper: it names no place at all."""

    table = Map(u64, u64, capacity=100)

    @dependent
    def size(self) -> u64:
        return self._size()

    def _size(self) -> u64:  # here
        with open("/etc/hostname") as file:
            return u64(len(file.read()))
