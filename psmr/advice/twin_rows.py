"""The commands of a program's twin: of each row one of the same workers and stages, and so many turns of a crank."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cdep import StateMachine
from cdep.groups import key_groups
from cdep.program import Program, masks_of, order_of, rules_of
from cdep.schedule_model import owners_of
from cdep.service import service_of
from cdep.staged_model import is_several, is_staged, stages_of
from cdep.types import u32, value_type
from proxies.layout import layout_of
from psmr.advice.batches import Commands
from psmr.advice.probe import CELLS, Probe
from psmr.advice.staged_probe import StagedProbe


@dataclass(frozen=True, slots=True)
class Crank:
    """What a command of a twin takes that turns the crank no time, and each turn; in ns."""

    base_ns: float = 0.0
    turn_ns: float = 1.0

    def rounds(self, costs_ns: NDArray[np.float64]) -> NDArray[np.int64]:
        """Turns of commands that should take so long."""
        return np.rint(np.maximum(0.0, costs_ns - self.base_ns) / self.turn_ns).astype(np.int64)

    def costs_ns(self, rounds: NDArray[Any]) -> NDArray[np.float64]:
        """What commands of so many turns should take."""
        return (self.base_ns + rounds * self.turn_ns).astype(np.float64)


def owner_of_twin(program: Program) -> type[StateMachine]:
    """The service of the twin."""
    return StagedProbe if is_staged(program.service) else Probe


def twin_of(
    program: Program, workers: int, crank: Crank
) -> tuple[list[Commands], NDArray[np.float64], NDArray[np.bool_] | None]:
    """Batches of the twin's commands in the order of execution; what each command should take, and which waits."""
    if is_staged(program.service):
        return _staged(program, workers, crank)
    rules = rules_of(program.service)
    masks = masks_of(program, rules)
    order = order_of(program, masks, rules)
    owners = owners_of(masks[order], workers)
    several = is_several(owners)
    rounds = crank.rounds(program.service_ns[order])
    key = program.keys[order, 0]
    group = np.where(key >= 0, program.groups[order, 0], 0)
    names = np.where(several, "meet", "turn")
    cells = _cells(np.where(several, group % workers, _lowest(owners)), key, workers)
    return records(Probe, names, {"cell": cells, "rounds": rounds}, program.batches), crank.costs_ns(rounds), None


def _staged(
    program: Program, workers: int, crank: Crank
) -> tuple[list[Commands], NDArray[np.float64], NDArray[np.bool_]]:
    stages = stages_of(program, rules_of(program.service))
    early, main = owners_of(stages.early, workers), owners_of(stages.main, workers)
    everybody = is_several(early) | is_several(main)
    exact = stages.exact | everybody
    names = np.where(early == 0, "turn", np.where(main == 0, "begin", "both"))
    names = np.where(everybody, "meet", np.where(exact, "decide", names))
    rounds = crank.rounds(program.service_ns)
    share = stages.early_ns / np.maximum(1.0, program.service_ns)
    begun = np.where(names == "both", np.rint(rounds * share), 0).astype(np.int64)
    waits = stages.waits & (names == "both")
    columns = {
        "first": _cells(_lowest(np.where(early == 0, main, early)), program.keys[:, -1], workers),
        "cell": _cells(_lowest(np.where(main == 0, early, main)), program.keys[:, 0], workers),
        "begun": begun,
        "rounds": rounds - begun,
        "waits": waits,
    }
    return records(StagedProbe, names, columns, program.batches), crank.costs_ns(rounds), waits


def _lowest(owners: NDArray[np.uint64]) -> NDArray[np.int64]:
    """The lowest-numbered of the owners; 0 where there are none."""
    found = (owners & (~owners + np.uint64(1))).astype(np.float64)
    return np.log2(np.maximum(found, 1.0)).astype(np.int64)


def _cells(workers_of: NDArray[np.int64], keys: NDArray[np.int64], workers: int) -> NDArray[np.int64]:
    """Cells that those workers own: of one key always the same."""
    groups = np.asarray(key_groups("turn", "cell", value_type(u32), np.arange(CELLS, dtype=np.uint32)), np.int64)
    cells = np.zeros(len(keys), np.int64)
    for worker in range(workers):
        own = np.flatnonzero(groups % workers == worker)
        rows = workers_of == worker
        cells[rows] = own[np.maximum(0, keys[rows]) % len(own)]
    return cells


def records(
    owner: type[StateMachine], names: NDArray[Any], columns: dict[str, NDArray[Any]], starts: NDArray[np.int64]
) -> list[Commands]:
    """Batches of commands by name; of the columns each command takes those that it has."""
    layout = layout_of(service_of(owner))
    rows = np.zeros((len(names), layout.stride), np.uint8)
    for command in layout.commands:
        places = np.flatnonzero(names == command.command.name)
        if not len(places):
            continue
        filled = np.zeros(len(places), command.dtype(layout.stride))
        filled["op"] = command.command.op
        for parameter in command.fields:
            filled[parameter.name] = columns[parameter.name][places]
        rows[places] = filled.view(np.uint8).reshape(len(places), layout.stride)
    return [Commands(rows[begin:end].tobytes(), end - begin, b"") for begin, end in pairwise(starts.tolist())]
