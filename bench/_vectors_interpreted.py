"""Balances without compiled handlers: call by call, and as NumPy operations on runs' columns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from bench._vectors_balances import ACCOUNTS
from bench._vectors_engine import Form, Turns
from bench._vectors_runs import SHORTEST
from cdep.hashing import groups_of_u64
from psmr.execution import layout as at
from psmr.execution.interpreted import InterpretedMachine
from psmr.execution.schedule import begin, finish
from psmr.state import frame as frames
from psmr.state.rows import group_bytes

_DEPOSIT = 1
_GROUP_WORDS = group_bytes(ACCOUNTS, 8) // 8


class Interpreted:
    """The two forms for one worker that owns everything."""

    def __init__(self, turns: Turns) -> None:
        engine = turns.engine
        self._memory = turns.memory
        self._words: Any = self._memory.region.words
        self._frame = self._memory.frames[0]
        self._machine = InterpretedMachine(engine._owner, engine.layout, self._memory, 0)
        self._record = engine.layout.command("deposit").dtype(engine.layout.command("deposit").stride)
        self._undo = self._place(self._memory.get(self._frame + frames.UNDO_BASE))
        self._balances = self._place(self._memory.bases[0])

    def _place(self, address: int) -> int:
        return (address - self._memory.region.address) >> 3

    def _rows(self) -> int:
        return self._memory.get(self._frame + at.FRAME_COUNT)

    def scalar(self) -> Form:
        """A handler's call a row."""

        def run(worker: int) -> None:
            while begin(self._frame):
                for row in range(self._rows()):
                    self._machine.execute(row)
                finish(self._frame)

        return run

    def vectors(self) -> Form:
        """Runs of one command as columns."""

        def run(worker: int) -> None:
            while begin(self._frame):
                start = self._memory.get(self._frame + at.FRAME_RECORDS) - self._memory.region.address
                records = np.frombuffer(self._memory.region.memory, self._record, self._rows(), start)
                for first, end in runs(records["op"], records["account"]):
                    self._run(records[first:end], first)
                finish(self._frame)

        return run

    def _run(self, records: Any, first: int) -> None:
        accounts = records["account"]
        if len(records) < SHORTEST or accounts.max() >= ACCOUNTS:
            for row in range(first, first + len(records)):
                self._machine.execute(row)
            return
        places = self._balances + groups_of_u64(np.ascontiguousarray(accounts)).astype(np.int64) * _GROUP_WORDS
        places += (accounts >> np.uint64(6)).astype(np.int64)
        values = self._words[places]
        if records["op"][0] == _DEPOSIT:
            self._note(places, values)
            values = values + records["amount"]
            self._words[places] = values
            self._memory.set(self._frame + frames.UNDO_COUNT, 0)
        self._reply(values)

    def _note(self, places: Any, values: Any) -> None:
        """What undoing the run would need."""
        notes = self._words[self._undo : self._undo + 2 * len(places)].reshape(-1, 2)
        notes[:, 0] = self._memory.region.address + 8 * places
        notes[:, 1] = values
        self._memory.set(self._frame + frames.UNDO_COUNT, len(places))

    def _reply(self, values: Any) -> None:
        count = self._memory.get(self._frame + at.FRAME_REPLY_COUNT)
        first = self._place(self._memory.get(self._frame + at.FRAME_REPLY_RECORDS)) + 2 * count
        replies = self._words[first : first + 2 * len(values)].reshape(-1, 2)
        replies[:, 0] = 0
        replies[:, 1] = values
        self._memory.set(self._frame + at.FRAME_REPLY_COUNT, count + len(values))


def runs(ops: Any, keys: Any) -> Iterator[tuple[int, int]]:
    """(first row, row after the last) of runs: one command, and if it is a deposit, no account twice."""
    ends = [*(np.flatnonzero(ops[1:] != ops[:-1]) + 1).tolist(), len(ops)]
    first = 0
    for end in ends:
        if ops[first] == _DEPOSIT and end - first > 1:
            seen: set[int] = set()
            for row, key in enumerate(keys[first:end].tolist(), first):
                if key in seen:
                    yield first, row
                    first = row
                    seen.clear()
                seen.add(key)
        yield first, end
        first = end
