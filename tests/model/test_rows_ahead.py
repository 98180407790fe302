"""From a meeting workers go on to the next one where it is near: how near, by what commands cost. A local choice."""

from __future__ import annotations

from itertools import cycle

import numpy as np
import pytest

from cdep import service_of
from cdep.schedule_model import LOOK_AHEAD, MEETING_NS, BarrierCosts, rows_ahead, simulate
from proxies.layout import layout_of
from psmr.advice.batches import Commands
from psmr.advice.probe import Probe
from psmr.advice.running import Runner
from psmr.execution import layout as at

ROWS = 256


@pytest.mark.parametrize("command_ns", [20.0, 200.0, 2_000.0, 20_000.0])
@pytest.mark.parametrize("share", [0.05, 0.1, 0.25, 0.5])
def test_no_other_number_of_rows_is_much_better(command_ns: float, share: float) -> None:
    count = 20 * 1024
    chance = np.random.default_rng(3)
    own = np.uint64(1) << chance.integers(0, 64, count).astype(np.uint64)
    masks = np.where(chance.random(count) < share, ~np.uint64(0), own)
    service_ns, batches = np.full(count, command_ns), np.arange(0, count + 1, 1024)
    costs = BarrierCosts(meet_ns=MEETING_NS / 2, resume_ns=MEETING_NS / 2)

    def total_ns(rows: int) -> float:
        return simulate(masks, service_ns, batches, 2, costs, look_ahead=rows).total_ns

    best_ns = min(total_ns(rows) for rows in range(LOOK_AHEAD + 1))
    assert total_ns(rows_ahead(command_ns, LOOK_AHEAD)) <= 1.03 * best_ns


def test_never_more_than_asked_for_and_all_of_it_while_nothing_is_known() -> None:
    assert rows_ahead(0.0, 8) == 8
    assert [rows_ahead(command_ns, 0) for command_ns in (0.0, 20.0, 20_000.0)] == [0, 0, 0]
    assert rows_ahead(1.0, 1 << 40) < 1 << 40


def test_an_engine_looks_less_far_where_commands_are_long_and_answers_the_same() -> None:
    ways = cycle((1, 2))
    one, two = Runner(Probe, 1), Runner(Probe, 2, spin=20, patience=0, choose=lambda synchronous, count: next(ways))
    try:
        answers: dict[str, list[bytes]] = {"one": [], "two": []}
        for name, runner in (("one", one), ("two", two)):
            runner.start()
            for rounds in (0, 4000, 0):
                runner.run([_batch(rounds)] * 4, lambda executed, name=name: answers[name].append(executed.reply))  # type: ignore[misc]
                if rounds:
                    looks = [two.engine.memory.get(frame + at.FRAME_LOOK_AHEAD) for frame in two.engine.memory.frames]
        assert answers["one"] == answers["two"]
        assert one.engine.digest() == two.engine.digest()
        assert looks == [2, 2]
    finally:
        one.close()
        two.close()


def _batch(rounds: int) -> Commands:
    layout = layout_of(service_of(Probe))
    records = np.zeros(ROWS, layout.commands[0].dtype(layout.stride))
    records["op"] = np.random.default_rng(rounds).random(ROWS) < 0.2
    records["cell"] = np.arange(ROWS)
    records["rounds"] = rounds
    return Commands(records.tobytes(), ROWS, b"")
