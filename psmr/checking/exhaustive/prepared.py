"""A group of histories, and the checker's searches of it, in the arrays that `blocks` takes."""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np

from psmr.checking.chains import are_sequential
from psmr.checking.exhaustive.blocks import COUNTS, Places, Room, before_memory
from psmr.checking.exhaustive.every_set import extensions
from psmr.checking.exhaustive.foreseen import STATE
from psmr.checking.exhaustive.groups import Group, Row, numbered
from psmr.checking.exhaustive.kinds import CAS, LOST, LOST_CAS, READ
from psmr.checking.exhaustive.shapes import Shape
from psmr.checking.exhaustive.written_out import history
from psmr.checking.foresight import foresees
from psmr.checking.history import Operation
from psmr.checking.layout import Layout
from psmr.checking.memory import AT_TABLE, IMPOSSIBLE, NEVER, UNFIT, pack, put_transition, slot_of
from psmr.checking.model import Model

_SEEN = 64
"""Room for the choices of a search of a few operations, which is faster to clear; where it is not enough, `check` decides."""


def places(group: Group, model: Model) -> Places:
    """The group in arrays."""
    kinds, intervals = group.kinds, group.shape.intervals
    every = range(len(kinds))
    # With foresight the search looks at values that no order leads to.
    ahead = [
        sum(
            1 << other
            for other in every
            if foresees(model)
            or (other != place and (kinds[place] in LOST or intervals[other][0] <= intervals[place][1]))
        )
        for place in every
    ]
    swaps = [
        place for place in every[:-1] if intervals[place] == intervals[place + 1] and kinds[place] == kinds[place + 1]
    ]
    further = extensions(group.shape, tuple(kind in LOST for kind in kinds))
    names, values = _names(len(group.writers))
    return Places(
        _array(kinds),
        _array(group.writers),
        _array(group.choosers),
        names,
        values,
        values ** len(group.choosers),
        _array(ahead),
        _array(swaps),
        further,
    )


def searches(group: Group, model: Any) -> tuple[np.ndarray, np.ndarray]:
    """The wide search and the narrow one, if the checker would run it; nothing if not. Before the memory, as `pack` gives it,
    is by operation its row, and then by operation and value where the model's answer goes.
    """
    alike = tuple(READ if kind == READ else LOST_CAS if kind in LOST else CAS for kind in group.kinds)
    return _searches(group.shape, group.kinds if foresees(model) else alike, model)


def room(operations: int) -> Room:
    """Enough for any search of so many."""
    return Room(
        rows=np.zeros((operations, 2), np.int64),
        states=np.zeros(1 << operations, np.int64),
        memory=np.zeros(16_384, np.int64),
        counts=np.zeros(COUNTS, np.int64),
    )


@lru_cache(None)
def _names(writers: int) -> tuple[np.ndarray, np.ndarray]:
    names = numbered(writers)
    return _array(names), _array([max(name, default=0) + 1 for name in names])


@lru_cache(maxsize=4096)
def _searches(shape: Shape, kinds: tuple[int, ...], model: Any) -> tuple[np.ndarray, np.ndarray]:
    rows: tuple[Row, ...] = tuple((place + 1, place + 1) for place in range(len(kinds)))
    operations = history(Group(shape, kinds), rows)
    narrow = _array(()) if are_sequential(operations) else _prepared(operations, model, is_narrow=True)
    return _prepared(operations, model, is_narrow=False), narrow


def _prepared(operations: list[Operation], model: Model, *, is_narrow: bool) -> np.ndarray:
    layout = Layout(operations, model, by_session=is_narrow, whole_batches=is_narrow)
    row_of = {id(operation): row for row, operation in enumerate(layout.operations) if operation is not None}
    count, rows = len(operations), len(layout.operations)
    transitions = 1 << (count * (count + 2)).bit_length()
    meta = layout.work.meta.copy()
    meta[IMPOSSIBLE] = NEVER
    blank = layout.work._replace(
        seen=np.zeros((_SEEN, 2), np.int64),
        table=np.full((transitions, 2), -1, np.int64),
        reach=_array([(-1, -1, -1)] * STATE + [(value, value + 1, value) for value in range(count + 1)]),
        states=_array([STATE]),
        link_starts=np.zeros(rows + 1, np.int64),
        links=np.zeros(count * count, np.int64),
        left=np.zeros(rows, np.int64),
        more=np.zeros(rows, np.int64),
        read_starts=np.zeros(2, np.int64),
        reads=np.zeros(count, np.int64),
        ranks=np.zeros(rows, np.int64),
        meta=meta,
    )
    memory = pack(blank)[0]
    every = list(product(range(count), range(count + 2)))
    for kind, state in every:
        put_transition(memory, state, kind, UNFIT)
    answers = [slot_of(memory, memory[AT_TABLE], transitions, state << 32 | kind) + 1 for kind, state in every]
    before = [*(row_of[id(operation)] for operation in operations), int(foresees(model)), *answers]
    assert len(before) == before_memory(count), "the places come before the memory"
    return np.concatenate([_array(before), memory])


def _array(values: Any) -> np.ndarray:
    return np.array(values, np.int64)
