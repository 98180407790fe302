"""What is kept of single commands' digests: those of the log, in the order of its rows, until newer ones take their place."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from apps.kv import IntegerKV
from cdep import service_of
from psmr.advice.batches import Commands, commands_of
from psmr.execution import layout as at
from psmr.execution.engine import Engine
from psmr.services import find_application
from psmr.workload import WorkloadOptions

ROWS = 4096


@pytest.fixture(scope="module")
def batches() -> list[Commands]:
    application = find_application("kv:integer")
    workload = application.workload(WorkloadOptions(1, 1, ROWS, None, {"mix": "A"}))
    return commands_of(service_of(IntegerKV), workload, 1, at.DIGESTS + 4 * ROWS)


@pytest.fixture(params=[1, 2])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    made = Engine(IntegerKV, request.param, choose=lambda synchronous, count: request.param)
    made.start()
    yield made
    made.close()


def execute(engine: Engine, batch: Commands, *, is_read: bool = False) -> int:
    assert engine.prepare(1, 1, batch.stride, batch.count, batch.records, batch.blob, 0, is_read=is_read)
    engine.publish()
    assert engine.settle(30)
    (executed,) = engine.collect()
    return executed.digest


def kept(engine: Engine, first: int, count: int) -> bytes | None:
    assert engine.row_digests is not None
    return engine.row_digests.read(first, count)


def test_reads_beside_the_log_are_not_counted(engine: Engine, batches: list[Commands]) -> None:
    execute(engine, batches[0])
    before = kept(engine, 0, ROWS)
    assert execute(engine, batches[1], is_read=True) == 0
    assert kept(engine, 0, ROWS) == before
    assert kept(engine, ROWS, 1) is None
    execute(engine, batches[2])
    assert before is not None
    assert kept(engine, 0, ROWS) == before
    both = kept(engine, ROWS - 10, 20)
    assert both is not None
    assert both[:80] == before[-80:]


def test_the_oldest_go(engine: Engine, batches: list[Commands]) -> None:
    for batch in batches:
        execute(engine, batch)
    total = ROWS * len(batches)
    newest = kept(engine, total - ROWS, ROWS)
    assert newest is not None
    assert len(set(np.frombuffer(newest, np.uint64).tolist())) > ROWS // 2
    if engine.workers == 1:  # of two, each keeps as many
        assert kept(engine, 0, ROWS) is None
    assert kept(engine, total - ROWS, ROWS + 1) is None
