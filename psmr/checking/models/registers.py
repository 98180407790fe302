"""One value, written and read; with and without compare-and-set."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from psmr.checking.foresight import Call, Reach, equal_only
from psmr.checking.models.meaning import Meant, OneState, no_such, pair


class Register(OneState):
    """`write v`, and `read` whose answer has the value."""

    read_only = frozenset({"read"})

    def __init__(self, initial: Any = None) -> None:
        self.initial = initial

    def step(self, state: Any, command: str, arguments: tuple[Any, ...], /) -> tuple[Any, Any]:
        """The state after `command`, and its reply."""
        return (state, state) if command == "read" else (arguments[0], None)

    def meant(self, f: str, called: Any, answered: Any, is_known: bool, /) -> Meant:
        """As `RecordedModel` has it."""
        if f == "read":
            return Meant(f, (), answered)
        if f == "write":
            return Meant(f, (called,), None)
        raise no_such(f, "register", "read, write")


class ForeseeingRegister(Register):
    """A register whose reads can be foreseen: they see what one write wrote."""

    begins_anew = frozenset({"write"})

    def reach(self, writes: Iterable[Call], replies: Collection[Any], /) -> Reach | None:
        """As `Foreseeing` has it."""
        return equal_only(replies)

    def contributes(self, arguments: tuple[Any, ...], reply: Any, /) -> bool:
        """Never: every write begins anew."""
        return False


class CasRegister(Register):
    """A register with `cas [expected value]`; one that did not find what it expected is a `fail`."""

    def step(self, state: Any, command: str, arguments: tuple[Any, ...], /) -> tuple[Any, Any]:
        """The state after `command`, and its reply."""
        if command != "cas":
            return super().step(state, command, arguments)
        return (arguments[1], None) if state == arguments[0] else (state, Unmet(state))

    def meant(self, f: str, called: Any, answered: Any, is_known: bool, /) -> Meant:
        """As `RecordedModel` has it."""
        if f == "cas":
            return Meant(f, pair(called, "[expected value] as :value of cas"), None)
        if f not in ("read", "write"):
            raise no_such(f, "cas-register", "read, write, cas")
        return super().meant(f, called, answered, is_known)


class Unmet:
    """The reply of a command whose condition is not met: no recorded answer equals it."""

    def __init__(self, state: Any) -> None:
        self.state = state

    def __str__(self) -> str:
        return "failure"
