"""A lock."""

from __future__ import annotations

from typing import Any

from psmr.checking.models.meaning import Meant, OneState, no_such
from psmr.checking.models.registers import Unmet
from psmr.checking.values import Symbol

FREE, HELD = Symbol("free"), Symbol("held")


class Mutex(OneState):
    """`acquire` of a free one, `release` of a held one, by whomever."""

    initial = FREE

    def step(self, state: Any, command: str, arguments: tuple[Any, ...], /) -> tuple[Any, Any]:
        """The state after `command`, and its reply."""
        before, after = (FREE, HELD) if command == "acquire" else (HELD, FREE)
        return (after, None) if state == before else (state, Unmet(state))

    def meant(self, f: str, called: Any, answered: Any, is_known: bool, /) -> Meant:
        """As `RecordedModel` has it."""
        if f not in ("acquire", "release"):
            raise no_such(f, "mutex", "acquire, release")
        return Meant(f, (), None)
