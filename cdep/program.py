"""A program: commands in the order of the log as columns, and what each kind of command is declared to touch.

What a command touches is kept apart from what its annotation says of it, so that another annotation can be tried on the same
commands (`cdep.what_if`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cdep.command import Access, Command, Dependency
from cdep.compiled import compiled
from cdep.hashing import GROUPS
from cdep.service import COMMUTATIVE, Service

NOTHING, READ, WRITE = 0, 1, 2
_ACCESS = {"none": NOTHING, "read": READ, "write": WRITE}


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """Commands in the order of the log.

    `op`: of each command; `keys`, `groups`: a row a command, a column each of its `touches_of`: the number of the key (−1: the
    command has not so many), and the key's group. `batches`: where each batch begins, and last where they end; none is empty.
    `names`: what each key is, (domain, value as text). `service_ns`: what each command costs. `waits`: whose early stage waits for
    everything before it; None: nobody's.
    """

    service: Service
    op: NDArray[np.int64]
    keys: NDArray[np.int64]
    groups: NDArray[np.int64]
    batches: NDArray[np.int64]
    names: Sequence[tuple[str, str]]
    service_ns: NDArray[np.float64]
    waits: NDArray[np.bool_] | None = None

    @property
    def count(self) -> int:
        """Commands."""
        return len(self.op)


@dataclass(frozen=True, slots=True, eq=False)
class Rules:
    """What annotations say, a row a command kind: on everything (`whole`), by dependency (`access`), and reads that are spread."""

    whole: NDArray[np.int64]
    access: NDArray[np.int64]
    spread: NDArray[np.int64]
    commutative: bool

    def copy(self, *, commutative: bool | None = None) -> Rules:
        """Rules of their own to be changed."""
        order = self.commutative if commutative is None else commutative
        return Rules(self.whole.copy(), self.access.copy(), self.spread.copy(), order)


def touches_of(service: Service, command: Command) -> tuple[Dependency, ...]:
    """The keys by which a command is ordered, or might be: those declared; of a command on everything, those called as others'."""
    if command.kind != "dependent":
        return command.touched
    domains: dict[str, str] = {}
    for other in service.commands:
        for key in other.touched:
            domains.setdefault(key.parameter, key.domain)
            domains.setdefault(key.domain, key.domain)
    kinds = {key.domain: _kind_of(other, key) for other in service.commands for key in other.touched}
    access: Access = "read" if command.access == "read" else "write"
    return tuple(
        Dependency(parameter.name, domains[parameter.name], access)
        for parameter in command.parameters
        if parameter.name in domains and parameter.type.key_kind == kinds[domains[parameter.name]]
    )


def _kind_of(command: Command, key: Dependency) -> str | None:
    return command.parameter(key.parameter).type.key_kind


def places_of(service: Service) -> int:
    """How many columns of keys a program of the service has."""
    return max([1, *(len(touches_of(service, command)) for command in service.commands)])


def rules_of(service: Service) -> Rules:
    """What a service's own annotations say."""
    places = places_of(service)
    whole = np.zeros(len(service.commands), np.int64)
    access = np.zeros((len(service.commands), places), np.int64)
    spread = np.zeros((len(service.commands), places), np.int64)
    for command in service.commands:
        if command.kind == "dependent":
            whole[command.op] = _ACCESS[command.access]
        for place, key in enumerate(command.touched):
            access[command.op, place] = _ACCESS[key.access]
            spread[command.op, place] = key.domain in service.spread_reads
    return Rules(whole, access, spread, service.order == COMMUTATIVE)


def masks_of(program: Program, rules: Rules) -> NDArray[np.uint64]:
    """C-G of each command, 64 bits: as `cdep.masks`, under any rules. Positions count from the beginning of each batch."""
    masks = np.zeros(program.count, np.uint64)
    _masks(program.op, program.groups, program.batches, rules.whole, rules.access, rules.spread, masks)
    return masks


def order_of(program: Program, masks: NDArray[np.uint64], rules: Rules) -> NDArray[np.int64]:
    """The rows in the order of execution: commutative order puts those of several groups behind the others of their batch."""
    rows = np.arange(program.count)
    if not rules.commutative:
        return rows
    several = (masks & (masks - np.uint64(1))) != 0
    batch = np.searchsorted(program.batches, rows, side="right")
    return np.lexsort((rows, several, batch))


@compiled
def _masks(op: Any, groups: Any, batches: Any, whole: Any, access: Any, spread: Any, masks: Any) -> None:
    everything = ~np.uint64(0)
    one = np.uint64(1)
    for batch in range(len(batches) - 1):
        first = batches[batch]
        for row in range(first, batches[batch + 1]):
            kind = op[row]
            if whole[kind] != NOTHING:
                masks[row] = everything
                continue
            found = np.uint64(0)
            own = one << np.uint64((row - first) % GROUPS)
            for place in range(access.shape[1]):
                if access[kind, place] == NOTHING:
                    continue
                if spread[kind, place] == 0:
                    found |= one << np.uint64(groups[row, place])
                elif access[kind, place] == READ:
                    found |= own
                else:
                    found = everything
            # Without any dependency, or with none that is left: any group will do.
            masks[row] = found if found != 0 else own
