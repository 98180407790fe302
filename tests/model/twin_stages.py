"""Workers that execute rows in two stages on a `Machine`: the engine's own wavefront, over accounts whose credit runs out.

What a row does is written down here twice: in pieces, between which others go on, and at once, one row after another.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from twin_workers import STATE_AT, TwinWorkers, frame_of

from cdep.staging import WAIT
from psmr.execution import layout as at
from psmr.execution.stages import EARLY, MAIN

CLIENTS = 4
STOCKS = 4
LIMIT = 10
FAILS, REFUSED = -1, -2
EXACT = 0xFFFF
_RESERVED, _CLIENT_CHAIN, _STOCK_CHAIN, _HOLDER, _HELD, _RELEASED = (STATE_AT + 1024 * part for part in range(6))


@dataclass(frozen=True)
class Row:
    """`order` has both stages; `fails` ends in the early one; `note` is early, `give_up` main; `look` and `all` are exact."""

    kind: str
    client: int
    stock: int
    amount: int


@dataclass(frozen=True)
class StagedBatch:
    """Rows, called by the name that what they share with other batches has."""

    owners: tuple[Row, ...]
    alone: bool


@dataclass
class Accounts:
    """The state as one sees it who executes everything in order."""

    cells: dict[int, int] = field(default_factory=dict)

    def execute(self, row: Row) -> int:
        """A row's reply."""
        if row.kind == "fails":
            return FAILS
        if row.kind == "all":
            return sum(self._look(client) for client in range(CLIENTS))
        if row.kind == "look":
            return self._look(row.client)
        if row.kind == "note":
            return self._chain(_CLIENT_CHAIN + 8 * row.client, row.amount)
        if row.kind == "order":
            if row.amount > self.credit(row.client):
                return REFUSED
            self._add(_RESERVED + 8 * row.client, row.amount)
            carried = self._chain(_CLIENT_CHAIN + 8 * row.client, row.amount)
        self._release(row.stock)
        if row.kind == "order":
            self.cells[_HOLDER + 8 * row.stock] = row.client
            self.cells[_HELD + 8 * row.stock] = row.amount
            return self._chain(_STOCK_CHAIN + 8 * row.stock, carried)
        return self._chain(_STOCK_CHAIN + 8 * row.stock, 1)

    def credit(self, client: int) -> int:
        """What is left of the limit."""
        released = sum(self.cells.get(_released(stock, client), 0) for stock in range(STOCKS))
        return LIMIT - self.cells.get(_RESERVED + 8 * client, 0) + released

    def _look(self, client: int) -> int:
        return self._chain(_CLIENT_CHAIN + 8 * client, self.credit(client))

    def _release(self, stock: int) -> None:
        holder = self.cells.get(_HOLDER + 8 * stock, 0)
        self._add(_released(stock, holder), self.cells.get(_HELD + 8 * stock, 0))
        self.cells[_HELD + 8 * stock] = 0

    def _add(self, place: int, amount: int) -> None:
        self.cells[place] = self.cells.get(place, 0) + amount

    def _chain(self, place: int, mark: int) -> int:
        self.cells[place] = _chained(self.cells.get(place, 0), mark)
        return self.cells[place]


class TwinStages(TwinWorkers):
    """`run()` raises AssertionError when anything is not as it would be in log order, or nobody can go on."""

    def _draw_log(self, chance: random.Random) -> Sequence[Any]:
        exact, alone = chance.choice((0.0, 0.2, 0.6)), chance.choice((0.0, 0.3))
        return [
            StagedBatch(tuple(_random_row(chance, exact) for _ in range(chance.randint(1, 8))), chance.random() < alone)
            for _ in range(7)
        ]

    def _lay_frames(self, look_ahead: int, spin: int) -> None:
        super()._lay_frames(look_ahead, spin)
        round_rows = self.machine.chance.choice((0, 0, 2, 100))
        for worker in range(self.workers):
            self.machine.memory[frame_of(worker) + at.FRAME_ROUND_ROWS] = round_rows

    def _expect(self) -> list[list[int]]:
        accounts = Accounts()
        return [[accounts.execute(row) for row in batch.owners] for batch in self._log]

    def _write_owners(self, owners: int, batch: StagedBatch) -> None:
        for number, row in enumerate(batch.owners):
            early, main = 1 << row.client % self.workers, 1 << row.stock % self.workers
            if row.kind in ("look", "all"):
                early, main = (1 << self.workers) - 1 if row.kind == "all" else early, EXACT
            elif row.kind in ("note", "give_up"):
                early, main = (early, 0) if row.kind == "note" else (0, main)
            self.machine.store(owners + 4 * number, early)
            self.machine.store(owners + 4 * number + 2, main)
        if not batch.alone:
            self._stage_index.index_stages(owners, len(batch.owners), self.workers)

    def _clear(self, address: int, size_bytes: int) -> None:
        # On this memory an address is a thing of its own: some of these are bytes.
        for byte in range(address, address + size_bytes):
            self.machine.store(byte, 0)

    def _work(self, worker: int) -> None:
        stages, frame, load = self._stages, frame_of(worker), self.machine.load
        while stages.begin_staged(frame):
            self._open_piece(worker)
            row = stages.seek_stage_at_once(frame, load(frame + at.FRAME_ROW))
            while row >= 0:
                slot, stage = load(frame + at.FRAME_SLOT), load(frame + at.FRAME_STAGE)
                self._stage(worker, slot, row, stage)
                assert stages.begin_staged(frame), "the open slot is the one to go on with"
                row = stages.seek_stage_at_once(frame, row + 1)
            if row == self._schedule.ENDING:
                return
            self._close_piece(worker)
            self._schedule.finish(frame)

    def _stage(self, worker: int, slot: int, number: int, stage: int) -> None:
        frame, row = frame_of(worker), self._log[slot].owners[number]
        go_on = stage == MAIN or self._early(frame, number, row)
        if stage != EARLY and go_on:
            self._main(frame, number, row)

    def _answer(self, frame: int, number: int, value: int) -> None:
        position = (self.machine.load(frame + at.FRAME_SLOT), number)
        assert position not in self._executed, f"{position} is answered again"
        self._executed[position] = frame
        self._reply(frame, number, value)

    def _early(self, frame: int, number: int, row: Row) -> bool:
        if row.kind == "fails":
            self._answer(frame, number, FAILS)
            self._stages.end_early(frame, number)
            return False
        if row.kind == "note":
            self._answer(frame, number, self._chain(_CLIENT_CHAIN + 8 * row.client, row.amount))
        if row.kind == "order":
            if row.amount > self._credit(row.client):
                self._stages.wait_for_all_before(frame, number)
            else:
                self._add(_RESERVED + 8 * row.client, row.amount)
                carried = self._chain(_CLIENT_CHAIN + 8 * row.client, row.amount)
                self._stages.carry(frame, number, carried, number + 1)
        return True

    def _main(self, frame: int, number: int, row: Row) -> None:
        if row.kind == "note" or self._stages.has_ended(frame, number):
            return
        if row.kind in ("look", "all"):
            clients = range(CLIENTS) if row.kind == "all" else (row.client,)
            self._answer(frame, number, sum(self._look(client) for client in clients))
            return
        carried = self._stages.carried_to(frame, number) if row.kind == "order" else 1
        if carried == WAIT:
            self._answer(frame, number, REFUSED)
            return
        load, store = self.machine.load, self.machine.store
        if row.kind == "order":
            assert load(frame + at.FRAME_EARLY_FOLD) == number + 1, "expected what the early stage has folded"
        self._add(_released(row.stock, load(_HOLDER + 8 * row.stock)), load(_HELD + 8 * row.stock))
        store(_HELD + 8 * row.stock, 0)
        if row.kind == "order":
            store(_HOLDER + 8 * row.stock, row.client)
            store(_HELD + 8 * row.stock, row.amount)
        self._answer(frame, number, self._chain(_STOCK_CHAIN + 8 * row.stock, carried))

    def _credit(self, client: int) -> int:
        credit = LIMIT - self.machine.load(_RESERVED + 8 * client)
        for stock in range(STOCKS):
            self.machine.pause()
            credit += self.machine.load(_released(stock, client))
        return credit

    def _look(self, client: int) -> int:
        return self._chain(_CLIENT_CHAIN + 8 * client, self._credit(client))

    def _add(self, place: int, amount: int) -> None:
        value = self.machine.load(place)
        self.machine.pause()
        self.machine.store(place, value + amount)

    def _chain(self, place: int, mark: int) -> int:
        value = _chained(self.machine.load(place), mark)
        self.machine.pause()
        self.machine.store(place, value)
        return value


def _random_row(chance: random.Random, exact: float) -> Row:
    kinds = ("order", "order", "order", "order", "order", "note", "give_up", "give_up", "fails")
    kind = chance.choice(("look", "all")) if chance.random() < exact else chance.choice(kinds)
    return Row(kind, chance.randrange(CLIENTS), chance.randrange(STOCKS), chance.choice((1, 3, 6, 9)))


def _released(stock: int, client: int) -> int:
    return _RELEASED + 8 * (stock * CLIENTS + client)


def _chained(value: int, mark: int) -> int:
    return (value * 1_000_003 + mark + 1) & 0x3FFF_FFFF_FFFF
