"""A run of calls under watch: an access outside the declaration is an error that names it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from cdep import Service, StateMachine
from psmr.errors import CallerError
from psmr.verification.cells import MEMORY, Cell, Place, clash
from psmr.verification.declared import Footprint, footprints, may_share_no_group, ordered
from psmr.verification.examining import Clash
from psmr.verification.explaining import access_text, cure_text
from psmr.verification.machine import Call, Outcome, TracedMachine, named_call

_REMEMBERED = 16
"""Of each cell, how many of the latest calls that touched it are compared with the next."""


class UndeclaredAccess(CallerError):
    """Two calls touch one cell, one of them changes it, and their declarations do not order them.

    The message names handler, file and line, the cell, both calls and what is declared of them. `clash` has the same as data.
    """

    def __init__(self, service: Service, found: Clash) -> None:
        super().__init__(f"{access_text(service, found)}: {cure_text(service, found)}")
        self.clash = found


class Watch:
    """A service on traced state; `call` executes, and compares what was touched with all that went before.

    Raises UndeclaredAccess for two conflicting calls that C-Dep does not order, however far apart they are.
    """

    def __init__(self, owner: type[StateMachine]) -> None:
        self.machine = TracedMachine(owner)
        self._footprint = footprints(self.machine.service)
        self._touches: dict[Cell, deque[tuple[Call, Footprint, dict[str, Place]]]] = {}

    def call(self, call: Call) -> Outcome:
        """Execute one call."""
        outcome = self.machine.call(call)
        declared = self._footprint(call)
        for cell, hows in sorted(outcome.touched.items(), key=lambda touch: touch[0].kind in MEMORY):
            earlier = self._touches.setdefault(cell, deque(maxlen=_REMEMBERED))
            for other, other_declared, other_hows in earlier:
                how = clash(other_hows, hows)
                if how is None or ordered(other_declared, declared) or not self._counts(cell, other, call):
                    continue
                places = (other_hows[how[0]], hows[how[1]])
                raise UndeclaredAccess(self.machine.service, Clash(other, call, cell, how, places))
            earlier.append((call, declared, dict(hows)))
        return outcome

    def _counts(self, cell: Cell, one: Call, other: Call) -> bool:
        """Memory that several keys share is only in danger between calls that two workers may execute at once."""
        service = self.machine.service
        return cell.kind not in MEMORY or may_share_no_group(
            service, named_call(service, one), named_call(service, other)
        )


def traced_run(owner: type[StateMachine], calls: Iterable[Call]) -> list[Outcome]:
    """Execute calls from the empty state. Raises UndeclaredAccess at the first access outside what is declared."""
    watch = Watch(owner)
    return [watch.call(call) for call in calls]
