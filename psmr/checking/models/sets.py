"""A set of elements."""

from __future__ import annotations

from typing import Any

from psmr.checking.models.meaning import Meant, OneState, UnlikeTheModel, no_such
from psmr.checking.values import show


class Set(OneState):
    """`add v`, `remove v`, and `read`, whose answer has all elements, as a set or in any order."""

    initial: frozenset[Any] = frozenset()
    read_only = frozenset({"read"})

    def step(self, state: Any, command: str, arguments: tuple[Any, ...], /) -> tuple[Any, Any]:
        """The state after `command`, and its reply."""
        if command == "read":
            return state, state
        return (state | {arguments[0]} if command == "add" else state - {arguments[0]}), None

    def meant(self, f: str, called: Any, answered: Any, is_known: bool, /) -> Meant:
        """As `RecordedModel` has it."""
        if f in ("add", "remove"):
            return Meant(f, (called,), None)
        if f != "read":
            raise no_such(f, "set", "add, remove, read")
        if not is_known:
            return Meant(f, (), None)
        elements = () if answered is None else answered
        if not isinstance(elements, frozenset | tuple) or len(frozenset(elements)) != len(elements):
            raise UnlikeTheModel("distinct elements as :value of the answer to read", show(answered))
        return Meant(f, (), frozenset(elements))
