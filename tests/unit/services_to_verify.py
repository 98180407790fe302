"""Small services for the tests of `psmr cdep verify` and `psmr cdep infer`."""

from __future__ import annotations

from typing import Any

from cdep import StateField, value_type
from psmr import Array, Map, StateMachine, dependent, i64, independent, partially_dependent, u8, u16, u64

TOTALS: list[int] = []


class Transfers(StateMachine):
    """The target of a transfer is missing among its keys."""

    balances = Map(u64, i64, capacity=1000)

    @partially_dependent("account")
    def deposit(self, account: u64, amount: i64) -> None:
        """Add to one account."""
        self.balances.put(account, self.balances.get(account, 0) + amount)

    @partially_dependent("source", domain="account")
    def transfer(self, source: u64, target: u64, amount: i64) -> bool:
        """Move between two."""
        if amount <= 0 or self.balances.get(source, 0) < amount:
            return False
        self.balances.put(source, self.balances.get(source, 0) - amount)
        self.balances.put(target, self.balances.get(target, 0) + amount)
        return True


class NeverEnds(StateMachine):
    """What waits for another command, which nobody executes meanwhile; it even catches what would end it."""

    ready = Array(u64, capacity=1)

    @dependent
    def wait(self) -> None:
        """Wait for ever."""
        while self.ready[0] == 0:
            try:
                self.ready[0] = 0
            except Exception:  # noqa: BLE001 - as careless handlers do
                self.ready[0] = 0


class NeverSucceeds(StateMachine):
    """One command raises, whatever it is given."""

    values = Array(u64, capacity=4)

    @partially_dependent("key")
    def fail(self, key: u64) -> None:
        """Raise."""
        raise ValueError("never")

    @partially_dependent("row")
    def write(self, row: u64) -> None:
        """Change a row."""
        self.values[row] = row


class KeepsAttributes(StateMachine):
    """A handler keeps state where nothing declares it."""

    values = Array(u64, capacity=4)

    @independent
    def remember(self, value: u64) -> None:
        """Keep it in an attribute."""
        self.last = value


class KeepsGlobals(StateMachine):
    """A handler keeps state in its module, where no trace sees it."""

    values = Array(u64, capacity=4)

    @independent
    def remember(self) -> u64:
        """Count in the module."""
        TOTALS.append(1)
        return u64(len(TOTALS))


class Odd(StateField):
    """State of a kind of its own."""

    def specification(self) -> str:
        """As every field has one."""
        return "Odd()"


class OddState(StateMachine):
    """State that is no container of the engine."""

    odd = Odd()

    @independent
    def nothing(self) -> None:
        """Do nothing."""


class Marks(StateMachine):
    """Rows that are computed from the key, each its own, but several to a word."""

    marks = Array(u8, capacity=4096)

    @partially_dependent("key")
    def mark(self, key: u16) -> None:
        """Mark a row."""
        self.marks[key * 8] = 1


class Telling(StateField):
    """An event as it is declared: fields, and a way to emit them."""

    def __init__(self, **kinds: Any) -> None:
        self.fields = {name: value_type(kind) for name, kind in kinds.items()}

    def specification(self) -> str:
        """As every field has one."""
        return f"Telling({', '.join(self.fields)})"

    def emit(self, *values: Any) -> None:
        """Nothing: traced state puts an event of its own here."""


class Teller(StateMachine):
    """What it tells depends on the order, and nothing else does."""

    total = Array(u64, capacity=1)
    told = Telling(total=u64)

    @independent
    def add(self, amount: u64) -> None:
        """Add, and tell the sum."""
        if amount > 100:
            self.told.emit(amount, amount)
        self.total[0] += amount
        self.told.emit(self.total[0])


class Watched(StateMachine):
    """Enough for every kind of outcome."""

    ends = Array(u64, capacity=2)

    @dependent
    def push(self) -> u64:
        """Count."""
        self.ends[0] += u64(1)
        return self.ends[0]

    @independent
    def peek(self) -> u64:
        """Read what others change."""
        return self.ends[0]


def _without_source() -> type[StateMachine]:
    names: dict[str, Any] = {"StateMachine": StateMachine, "independent": independent, "u64": u64, "__name__": __name__}
    text = """
class NoSource(StateMachine):
    @independent
    def echo(self, value: u64) -> u64:
        return value
"""
    exec(compile(text, "<made while running>", "exec"), names)
    found: type[StateMachine] = names["NoSource"]
    return found


NoSource = _without_source()
