"""A part of a history as arrays of integers, for `compiled_search`."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable
from typing import Any

import numpy as np

from psmr.checking.chains import batch_ends, by_process, by_time, earliest_returns
from psmr.checking.foresight import Foreseeing, Reach, foresees
from psmr.checking.history import Operation
from psmr.checking.memory import (
    ANEW,
    BEST,
    CALLED,
    CELL,
    COLUMNS,
    DUE,
    FLAGS,
    HIDEABLE,
    IMPOSSIBLE,
    IS_SYMMETRIC,
    KNOWN,
    META,
    NEVER,
    READ_ONLY,
    Work,
)
from psmr.checking.model import Model, has_cells
from psmr.checking.transitions import Transitions

_SEEN, _TRANSITIONS, _STATES = 512, 256, 64
_GUARD = [NEVER, NEVER, 0, 0, 0, 0, 0]


class Layout:
    """The arrays (`work`), and what their rows mean: `operations`, None where a chain ends."""

    def __init__(self, operations: list[Operation], model: Model, *, by_session: bool, whole_batches: bool) -> None:
        self.model: Model = model.of_one_cell() if has_cells(model) else model
        self._cells: dict[Hashable, int] | None = {} if has_cells(model) else None
        self.operations: list[Operation | None] = []
        foreseeing = self.model if foresees(self.model) else None
        self._read_only = frozenset(model.read_only)
        self._anew = foreseeing.begins_anew if foreseeing else ()
        reach = self._reach(operations, foreseeing) if foreseeing else None
        self.transitions = Transitions(self.model, reach, self._anew)
        operations = sorted(operations, key=_called)
        chains = by_process(operations) if by_session else by_time(operations)
        self.has_batches = False
        rows, heads = self._rows(chains, whole_batches=whole_batches, is_foreseen=reach is not None)
        self.work = self._work(np.array(rows or [_GUARD], np.int64), heads, is_symmetric=not by_session)
        if reach is not None and foreseeing is not None:
            self._link(reach, foreseeing)

    def _reach(self, operations: list[Operation], foreseeing: Foreseeing) -> Reach | None:
        writes, replies = [], dict[Any, None]()
        for operation in operations:
            if operation[3] not in self._read_only:
                writes.append(operation[3:5])
                if operation[2] is not None and operation[5] is not None:
                    return None
            elif operation[2] is not None:
                replies[operation[5]] = None
        return foreseeing.reach(writes, replies)

    def _rows(
        self, chains: list[list[Operation]], *, whole_batches: bool, is_foreseen: bool
    ) -> tuple[list[list[Any]], list[int]]:
        rows: list[list[Any]] = []
        heads = []
        kind, read_only, anew = self.transitions.kind, self._read_only, self._anew
        for chain, members in enumerate(chains):
            first = len(rows)
            heads.append(first)
            ends = batch_ends(members) if whole_batches else range(1, len(members) + 1)
            for place, (operation, due) in enumerate(zip(members, earliest_returns(members), strict=True)):
                flags = KNOWN if operation[2] is not None else 0
                is_alone = ends[place] == place + 1
                if operation[3] in read_only:
                    flags |= READ_ONLY
                else:
                    self.has_batches |= not is_alone
                    flags |= ANEW if operation[3] in anew else 0
                    flags |= HIDEABLE if is_foreseen and is_alone else 0
                returns = NEVER if due == math.inf else due
                end, cell = first + ends[place], self._cell(operation)
                rows.append([operation[1], returns, kind(operation), flags, end, cell, chain])
            self.operations += members
            self.operations.append(None)
            rows.append([*_GUARD[:-1], chain])
        return rows, heads

    def _cell(self, operation: Operation) -> int:
        if self._cells is None:
            return 0
        return self._cells.setdefault(self.model.key(operation[3], operation[4]), len(self._cells))

    def _work(self, rows: np.ndarray, heads: list[int], *, is_symmetric: bool) -> Work:
        count, cells = len(rows), max(1, len(self._cells or ()))
        meta = np.zeros(META, np.int64)
        meta[BEST] = -1
        meta[IMPOSSIBLE] = NEVER
        meta[IS_SYMMETRIC] = is_symmetric
        return Work(
            operations=rows,
            heads=np.array(heads, np.int64),
            states=np.full(cells, self.transitions.initial, np.int64),
            origins=np.full(cells, -1, np.int64),
            link_starts=np.zeros(count + 1, np.int64),
            links=np.zeros(0, np.int64),
            left=np.zeros(count, np.int64),
            more=np.zeros(count, np.int64),
            read_starts=np.zeros(cells + 1, np.int64),
            reads=np.zeros(0, np.int64),
            ranks=np.zeros(count, np.int64),
            reach=np.full((_STATES, 3), -1, np.int64),
            table=np.full((_TRANSITIONS, 2), -1, np.int64),
            seen=np.zeros((_SEEN, 2), np.int64),
            trail=np.empty((count, 4), np.int64),
            moves=np.empty((2 * count + 4 * len(heads) + 2 * cells + 16, 5), np.int64),
            choices=np.empty((count, 2), np.int64),
            best=np.empty((count, 2), np.int64),
            meta=meta,
        )

    def _link(self, reach: Reach, foreseeing: Foreseeing) -> None:
        """What each read may come of. One that was due before a write was called does not come of it."""
        table = self.work.operations.tolist()
        reads: list[list[int]] = [[] for _ in self.work.states]
        writes: list[list[int]] = [[] for _ in self.work.states]
        for row, operation in enumerate(self.operations):
            if operation is None:
                continue
            if not table[row][FLAGS] & READ_ONLY:
                writes[table[row][CELL]].append(row)
            elif operation[2] is not None:
                reads[table[row][CELL]].append(row)
                self.work.ranks[row] = reach.ranks[operation[5]]
        links: dict[int, list[int]] = defaultdict(list)
        for own_reads, own_writes in zip(reads, writes, strict=True):
            own_reads.sort(key=lambda row: table[row][DUE])
            of_rank: dict[int, list[int]] = defaultdict(list)
            for row in own_reads:
                of_rank[int(self.work.ranks[row])].append(row)
            replies = {rank: self._operation(of_rank[rank][0])[5] for rank in sorted(of_rank)}
            for row in own_writes:
                ranks = self._ranks(row, replies, reach, foreseeing)
                is_anew = table[row][FLAGS] & ANEW
                for read in [read for rank in ranks for read in of_rank[rank]]:
                    if table[read][DUE] >= table[row][CALLED]:
                        self._join(links, row, read, is_anew=bool(is_anew))
        starts = np.cumsum([0, *(len(links[row]) for row in range(len(table)))])
        flat = [target for row in range(len(table)) for target in links[row]]
        self._take_out_impossible(reads, table, reach)
        ends = np.cumsum([0, *map(len, reads)])
        in_order = np.array([row for own in reads for row in own], np.int64)
        self.work = self.work._replace(
            link_starts=starts, links=np.array(flat, np.int64), read_starts=ends, reads=in_order
        )

    def _take_out_impossible(self, reads: list[list[int]], table: list[list[int]], reach: Reach) -> None:
        """A read that neither the first state nor any write leads to speaks against every way to go on alike."""
        low, high = reach.range_of(self.model.initial)
        for own in reads:
            for row in list(own):
                if self.work.left[row] == 0 and not low <= self.work.ranks[row] < high:
                    own.remove(row)
                    self.work.meta[IMPOSSIBLE] = min(self.work.meta[IMPOSSIBLE], table[row][DUE])

    def _ranks(self, row: int, replies: dict[int, Any], reach: Reach, foreseeing: Foreseeing) -> list[int]:
        """Which replies a write may be part of."""
        operation = self._operation(row)
        if operation[3] not in self._anew:
            return [rank for rank, reply in replies.items() if foreseeing.contributes(operation[4], reply)]
        low, high = reach.range_of(self.model.step(self.model.initial, operation[3], operation[4])[0])
        return [rank for rank in range(low, high) if rank in replies]

    def _join(self, links: dict[int, list[int]], write: int, read: int, *, is_anew: bool) -> None:
        links[read].append(write)
        self.work.left[write] += 1
        links[write].append(read if is_anew else ~read)
        (self.work.left if is_anew else self.work.more)[read] += 1

    def _operation(self, row: int) -> Operation:
        operation = self.operations[row]
        assert operation is not None, "the end of a chain is never placed"
        return operation


def _called(operation: Operation) -> int:
    return operation[1]


assert len(_GUARD) == COLUMNS, "a row has a value a column"
