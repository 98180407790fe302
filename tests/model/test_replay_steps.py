"""What steps tell of commands: all of it together is the state, taken back it is the state before; with any number of workers."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from capture_service import Kept
from execution_support import Batch
from replay_support import files_of, recorded
from staged_calls import draw_log
from staged_service import Orders
from test_capture import log_of
from test_commutative_order import Purse, drawn

from cdep import StateMachine
from psmr.errors import ConfigurationError
from psmr.replaying.cells import CellName, Cells
from psmr.replaying.folder import ReplicaFolder
from psmr.replaying.player import Player
from psmr.replaying.steps import Step, steps_of

State = dict[CellName, Any]


def kept_log() -> list[Batch]:
    return log_of(3, 400)


def purse_log() -> list[Batch]:
    return [batch for seed in range(4) for batch in drawn(seed)]


def staged_log() -> list[Batch]:
    return draw_log(random.Random(5), ("order", "deposit", "give_up", "credit"), 300, (5, 40))


def state_of(cells: Cells) -> State:
    return {name: held.value for container in cells.containers for name, held in cells.content(container)}


def apply(state: State, step: Step) -> None:
    for write in step.writes:
        assert state.get(write.cell, type(write.old)() if write.old is not None else None) == write.old, step
        state[write.cell] = write.new
        if write.new is None or (write.cell.container not in MAPS and not write.new):
            del state[write.cell]


MAPS = {"numbers", "words", "balances"}


@pytest.mark.parametrize(
    ("owner", "log", "workers", "compiled"),
    [
        (Kept, kept_log(), 1, False),
        (Kept, kept_log(), 2, True),
        (Purse, purse_log(), 2, False),
        (Orders, staged_log(), 2, True),
    ],
)
def test_writes_lead_from_each_state_to_the_next_and_back(
    owner: type[StateMachine], log: list[Batch], workers: int, compiled: bool, tmp_path: Path
) -> None:
    digests = recorded(tmp_path, owner, log)
    before = files_of(tmp_path)
    folder = ReplicaFolder.open(tmp_path)
    assert (folder.first, folder.last) == (0, len(log) + 1)
    state: State = {}
    with Player(folder, owner, workers, origin_at=0, compiled=compiled) as player:
        cells = Cells(player.engine.memory)
        for index in range(1, folder.last + 1):
            played = player.step()
            steps = steps_of(player.engine.layout, cells, played)
            assert player.digest == digests[index]
            for step in reversed(steps):
                step.undo()
            assert player.digest == digests[index - 1]
            for step in steps:
                step.redo()
                apply(state, step)
            assert (player.index, player.digest) == (index, digests[index])
        assert state == state_of(cells)
        assert len(state) > 3
    assert files_of(tmp_path) == before


def test_an_entry_that_changes_more_than_can_be_noted_is_told_and_passed(tmp_path: Path) -> None:
    log: list[Batch] = [[("flood", (5_000,))] * 4, [("put", (1, 5))]]
    digests = recorded(tmp_path, Kept, log)
    with Player(ReplicaFolder.open(tmp_path), Kept, origin_at=0, compiled=False, notes_bytes=1 << 16) as player:
        player.go_to(1)
        with pytest.raises(ConfigurationError, match=r"log index 2: .* which cannot be stepped: step from behind it"):
            player.step()
        assert [each.count for each in player.step().batches] == [1]
        assert (player.index, player.digest) == (3, digests[3])
