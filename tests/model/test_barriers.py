"""Conflicting commands run in log order, one at a time, for any number of workers and any way of meeting.

The state is a chain of hashes for each cell (`chain_service`), so any other order, a command lost, one run twice, or two at once
where they meet would change it, and the replies with it. The reference is one worker, which has no barriers.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from chain_service import CELLS, Chains

from cdep import service_of
from proxies.layout import layout_of
from psmr.execution.engine import Engine

RING_BYTES = 16 << 20
BATCHES = 40
ROWS = 500
SETTLE_S = 60.0


def batches(seed: int, synchronous: float, raising: float = 0.002) -> list[bytes]:
    """A log: mostly `link`, a share of commands that need several workers, a few that raise."""
    layout = layout_of(service_of(Chains))
    random = np.random.default_rng(seed)
    log = []
    for _ in range(BATCHES):
        rows = np.zeros((ROWS, layout.stride), np.uint8)
        draw = random.random(ROWS)
        names = np.select(
            [draw < synchronous / 4, draw < synchronous, draw < synchronous + raising],
            ["tie_all", "tie", "refuse"],
            "link",
        )
        for row, name in enumerate(names.tolist()):
            command = layout.command(name)
            record = rows[row].view(command.dtype(layout.stride))
            record["op"] = command.command.op
            for field in command.fields:
                record[field.name] = random.integers(0, CELLS if field.type.name == "u32" else 1 << 62)
        log.append(rows.tobytes())
    return log


def execute(engine: Engine, log: list[bytes]) -> tuple[list[bytes], int]:
    """Replies without their headers, and the digest of the state."""
    replies: list[bytes] = []
    for sequence, records in enumerate(log, 1):
        while not engine.offer(1, sequence, engine.layout.stride, ROWS, records, b"", 0):
            assert engine.settle(SETTLE_S), engine.dead()
            replies += [executed.reply[32:] for executed in engine.collect()]
    assert engine.settle(SETTLE_S), engine.dead()
    replies += [executed.reply[32:] for executed in engine.collect()]
    return replies, engine.digest()


@pytest.fixture(scope="module", params=[0.0, 0.01, 0.2, 1.0], ids=lambda share: f"{share:.0%} synchronous")
def expected(request: pytest.FixtureRequest) -> Iterator[tuple[list[bytes], tuple[list[bytes], int]]]:
    """A log, and what one worker makes of it."""
    log = batches(5, request.param)
    engine = Engine(Chains, 1, ring_bytes=RING_BYTES)
    engine.start()
    yield log, execute(engine, log)
    engine.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("workers", "look_ahead", "spin"), [(2, 0, 0), (2, 24, 500), (3, 1, 0), (4, 10_000, 0), (8, 24, 0), (16, 24, 0)]
)
def test_workers_that_meet_give_what_one_gives(
    expected: tuple[list[bytes], tuple[list[bytes], int]], workers: int, look_ahead: int, spin: int
) -> None:
    log, (replies, digest) = expected
    engine = Engine(
        Chains,
        workers,
        ring_bytes=RING_BYTES,
        look_ahead=look_ahead,
        spin=spin,
        patience=0,
        choose=lambda synchronous, count: workers,
    )
    engine.start()
    try:
        assert execute(engine, log) == (replies, digest)
        assert sum(engine.counters().commands) == BATCHES * ROWS
        assert sum(count > 0 for count in engine.counters().commands) > 1
    finally:
        engine.close()


@pytest.mark.slow
def test_a_swapped_pair_would_be_noticed() -> None:
    """The test itself: two neighbouring commands of one cell the other way round leave another state."""
    digests = []
    for marks in ((1, 2), (2, 1)):
        layout = layout_of(service_of(Chains))
        rows = np.zeros(ROWS, layout.command("link").dtype(layout.stride))
        rows["mark"][:2] = marks
        engine = Engine(Chains, 1, ring_bytes=RING_BYTES)
        engine.start()
        digests.append(execute(engine, [rows.tobytes()])[1])
        engine.close()
    assert digests[0] != digests[1]
