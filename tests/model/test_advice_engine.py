"""The model of the schedule counts what the engine does, and workers write down where they have waited."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
from staged_service import CLIENTS, STOCKS, Orders

from cdep import schedule_model, service_of, staged_model
from cdep.program import masks_of, rules_of
from cdep.schedule_model import BarrierCosts, simulate
from cdep.staged_model import simulate_stages, stages_of
from proxies.layout import layout_of
from psmr.advice import barriers
from psmr.advice.batches import Commands, program_of
from psmr.advice.probe import Probe
from psmr.advice.running import Runner
from psmr.advice.stage_waits import StageWaits
from psmr.demo.traffic import BatchEncoder
from psmr.execution import stages
from psmr.execution.engine import Engine
from psmr.execution.waits import Waits
from psmr.workload import Segment

WORKERS = 3
ROWS = 300
OP_OF_CREDIT = service_of(Orders).command("credit").op


def random_batches(seed: int, count: int, share: float) -> list[Commands]:
    """Batches of turns, a share of them dependent."""
    random = np.random.default_rng(seed)
    layout = layout_of(service_of(Probe))
    batches = []
    for _ in range(count):
        records = np.zeros(ROWS, layout.commands[0].dtype(layout.stride))
        records["op"] = random.random(ROWS) < share
        records["cell"] = random.integers(0, 1000, ROWS)
        records["rounds"] = 3
        batches.append(Commands(records.tobytes(), ROWS, b""))
    return batches


@pytest.fixture(scope="module", params=[0, 8])
def runner(request: pytest.FixtureRequest) -> Iterator[tuple[Runner, Waits, int]]:
    made = Runner(
        Probe, WORKERS, spin=20, patience=0, look_ahead=request.param, choose=lambda synchronous, count: WORKERS
    )
    waits = Waits(made.engine.memory)
    made.start()
    yield made, waits, request.param
    made.close()


@pytest.mark.parametrize("share", [0.02, 0.3, 1.0])
def test_meetings_are_those_of_the_engine(runner: tuple[Runner, Waits, int], share: float) -> None:
    made, waits, look_ahead = runner
    batches = random_batches(int(share * 100), 6, share)
    program = program_of(service_of(Probe), batches)
    rules = rules_of(program.service)
    masks = masks_of(program, rules)
    free = BarrierCosts()
    expected = simulate(masks, program.service_ns, program.batches, WORKERS, free, look_ahead=look_ahead)
    before, first = made.engine.counters(), made.next_slot
    waits.take()
    ran = made.run(batches)
    after = made.engine.counters()
    assert sum(after.synchronous) - sum(before.synchronous) == expected.meetings > 0
    assert sum(after.commands) - sum(before.commands) == program.count
    assert len(ran.busy_ns) == len(batches)
    waited = waits.take()
    assert any(len(found.at_rows) for found in waited)
    for found in waited:
        slots, rows, ns = found.at_rows.T
        # Workers wait only where a command has several owners.
        assert set(program.op[program.batches[slots - first] + rows].tolist()) <= {1}
        assert (ns > 0).all()
        assert found.unknown_ns == found.rounds_ns == 0


def test_waits_that_find_no_room_still_count() -> None:
    made = Runner(Probe, 2, spin=20, patience=0, look_ahead=0, choose=lambda synchronous, count: 2)
    waits = Waits(made.engine.memory, room=5)
    made.start()
    try:
        made.run(random_batches(1, 2, 1.0))
        for found in waits.take():
            assert len(found.at_rows) <= 5
            assert found.unknown_ns > 0
        assert all(found.unknown_ns == 0 for found in waits.take())
    finally:
        made.close()


def test_numbers_of_commands_are_told_from_their_records() -> None:
    (batch,) = random_batches(5, 1, 0.5)
    program = program_of(service_of(Probe), [batch, batch])
    assert program.batches.tolist() == [0, ROWS, 2 * ROWS]
    assert program.op[:ROWS].tolist() == program.op[ROWS:].tolist()
    turned = program.keys[program.op == 0, 0]
    assert {program.names[number][0] for number in turned.tolist()} == {"cell"}
    damaged = Commands(b"\xff" * len(batch.records), ROWS, b"")
    with pytest.raises(ValueError, match="expected commands 0 to 1 of Probe, found 65535"):
        program_of(service_of(Probe), [damaged])


def staged_batches(seed: int, count: int, credit: int = 1 << 30) -> list[Commands]:
    """Batches of orders that by default all find credit, with some commands decided as a whole; deposits come first."""
    random = np.random.default_rng(seed)
    encoder = BatchEncoder(service_of(Orders))
    clients = np.arange(CLIENTS)
    deposits = Segment("deposit", {"client": clients, "amount": np.full(CLIENTS, credit)}, CLIENTS)
    batches = [Commands(*encoder.encode([deposits]))]
    for _ in range(count):
        segments = []
        for _ in range(12):
            client, stock = random.integers(0, CLIENTS, 20), random.integers(0, STOCKS, 20)
            segments.append(Segment("order", {"client": client, "stock": stock, "amount": np.full(20, 2)}, 20))
            if random.random() < 0.2:
                segments.append(Segment("credit", {"client": client[:1]}, 1))
            segments.append(Segment("give_up", {"stock": stock[:2]}, 2))
        batches.append(Commands(*encoder.encode(segments)))
    return batches


@pytest.mark.parametrize("workers", [2, 3])
def test_rounds_are_those_of_the_engine(workers: int) -> None:
    batches = staged_batches(workers, 8)
    program = program_of(service_of(Orders), batches)
    of_program = stages_of(program, rules_of(program.service))
    expected = simulate_stages(of_program, program.batches, workers, BarrierCosts())
    made = Runner(Orders, workers, spin=20, patience=0, choose=lambda synchronous, count: workers)
    waits = Waits(made.engine.memory)
    made.start()
    try:
        made.run(batches)
        counters = made.engine.counters()
        assert counters.waited == (0,) * workers
        assert counters.rounds == (expected.meetings,) * workers
        assert expected.meetings > len(batches)
        waited = waits.take()
        assert sum(found.rounds_ns for found in waited) > 0
        for found in waited:
            slots, rows, _ = found.at_rows.T
            assert set(program.op[program.batches[slots] + rows].tolist()) <= {OP_OF_CREDIT}
    finally:
        made.close()


def test_the_model_has_the_numbers_of_the_engine() -> None:
    assert (staged_model.ROUND_ROWS, staged_model.ROUNDS_FREE) == (stages.ROUND_ROWS, stages.ROUNDS_FREE)
    assert inspect.signature(Engine).parameters["look_ahead"].default == schedule_model.LOOK_AHEAD
    assert inspect.signature(Engine).parameters["spin"].default == barriers.SPIN


def test_early_stages_that_wait_are_told_by_row() -> None:
    opening, *batches = staged_batches(5, 12, credit=12)
    program = program_of(service_of(Orders), batches)
    with closing(StageWaits(Orders, [opening])) as found:
        waits = np.concatenate([found.of(batches[:5]), found.of(batches[5:])])
    assert 0 < waits.sum() < program.count / 20
    assert set(program.op[waits].tolist()) == {service_of(Orders).command("order").op}
    stages = stages_of(replace(program, waits=waits), rules_of(program.service))
    expected = simulate_stages(stages, program.batches, 2, BarrierCosts()).meetings
    unaware = simulate_stages(stages_of(program, rules_of(program.service)), program.batches, 2, BarrierCosts())
    with closing(Runner(Orders, 2, spin=20, patience=0, choose=lambda synchronous, count: 2)) as made:
        made.start()
        made.run([opening])
        before = made.engine.counters().rounds[0]
        made.run(batches)
        rounds = made.engine.counters().rounds[0] - before
    # Whether a stage passes the main stages of the round that it is asked in is up to who is quicker.
    assert abs(rounds - expected) <= 1 < expected - unaware.meetings
