"""Commands in stages, executed by several workers, are what they are one after another: replies, events and state, to the byte.

Credit runs out in these logs, so what an early stage answers depends on which main stages are done; each client and each
stock keeps a history, so any other order shows.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

import pytest
from execution_support import RING_BYTES, Batch, decode, encode, state_of
from staged_calls import SETTLE_S, WEIGHTS, Plain, draw_log, events_of, execute_all
from staged_service import Holdings, Orders

from psmr.core.batch import MalformedBatch
from psmr.core.event_format import EVENT_ROWS_MAX
from psmr.core.reply import BatchStatus, parse_reply
from psmr.execution import layout as at
from psmr.execution.engine import Engine
from psmr.execution.outcome import Executed
from psmr.execution.stages import ROUNDS_FREE

FEW = ("order", "deposit", "give_up", "credit")
SCARCE, PLENTY = (3, 13, 40), (13, 5000)


@contextmanager
def started(
    owner: type[Orders],
    workers: int,
    *,
    compiled: bool = True,
    choose: Callable[[int, int], int] | None = None,
    spin: int = 20,
    round_rows: int = 0,
) -> Iterator[Engine]:
    """`round_rows`: how many rows a round must bring; 0: a slot is executed in rounds to its end, however many."""
    together = choose or (lambda synchronous, count: workers)
    engine = Engine(owner, workers, compiled=compiled, ring_bytes=RING_BYTES, spin=spin, patience=0, choose=together)
    for frame in engine.memory.frames:
        engine.memory.set(frame + at.FRAME_ROUND_ROWS, round_rows)
    try:
        engine.start()
        yield engine
    finally:
        engine.close()


def random_width(workers: int, seed: int) -> Callable[[int, int], int]:
    chance = random.Random(seed)
    return lambda synchronous, count: chance.choice((1, workers))


def assert_as_one_worker(owner: type[Orders], log: Sequence[Batch], others: Sequence[Engine]) -> list[Executed]:
    with started(owner, 1) as one:
        expected, digest = execute_all(one, log), one.digest()
        for engine in others:
            assert execute_all(engine, log) == expected, f"{engine.workers} workers"
            assert engine.digest() == digest, f"{engine.workers} workers"
            assert sum(engine.counters().commands) == sum(map(len, log))
    return expected


def assert_as_plain_handlers(owner: type[Orders], log: Sequence[Batch], executed: Sequence[Executed]) -> None:
    plain = Plain(owner)
    with started(owner, 2) as engine:
        assert execute_all(engine, log) == executed[: len(log)]
        for batch, found in zip(log, executed, strict=False):
            replies, events = plain.execute(batch)
            assert decode(engine.layout, batch, found.reply) == replies
            assert events_of(found) == events
        assert state_of(engine) == plain.service.state()


def test_two_and_three_workers_do_what_one_does() -> None:
    log = draw_log(random.Random(1), FEW, 1000, SCARCE)
    with ExitStack() as stack:
        two = stack.enter_context(started(Orders, 2))
        any_width = stack.enter_context(started(Orders, 3, choose=random_width(3, 1), round_rows=40))
        executed = assert_as_one_worker(Orders, log, [two, any_width])
        assert min(two.counters().waited) > 0, "credit never ran out"
        assert two.counters().synchronous_commands > 0
        assert len(set(two.counters().rounds)) == 1, "all meet in every round"
        assert two.counters().rounds[0] > len(log)
    assert_as_plain_handlers(Orders, log[:5], executed)


def test_interpreted_stages_are_the_same() -> None:
    log = draw_log(random.Random(2), FEW, 150, SCARCE)
    with started(Orders, 2, compiled=False) as interpreted:
        assert_as_one_worker(Orders, log, [interpreted])


def test_a_batch_in_which_nothing_waits_takes_one_round() -> None:
    rich: Batch = [("deposit", (client, 100_000)) for client in range(9)]
    orders = draw_log(random.Random(3), ("order", "give_up"), 600, PLENTY)
    with started(Orders, 2) as engine:
        execute_all(engine, [rich, *orders])
        assert engine.counters().rounds == (1 + len(orders),) * 2
        assert engine.counters().waited == (0, 0)


def test_a_batch_in_which_too_many_wait_is_finished_by_one() -> None:
    poor: Batch = [("order", (row % 9, row % 16, 8)) for row in range(200)]
    with started(Orders, 2) as in_rounds, started(Orders, 2, round_rows=10) as finishing:
        assert execute_all(finishing, [poor]) == execute_all(in_rounds, [poor])
        assert in_rounds.counters().rounds[0] == 1 + 200, "every one of them waits"
        assert finishing.counters().rounds[0] == ROUNDS_FREE + 1


def test_a_read_beside_the_log_sees_everything_before_it() -> None:
    with started(Orders, 2) as engine:
        log: list[Batch] = [[("deposit", (5, 100))], [("order", (5, 1, 30)), ("order", (6, 1, 1))]]
        execute_all(engine, log)
        read: Batch = [("credit", (5,)), ("credit", (6,))]
        content, blob = encode(engine.layout, read)
        assert engine.offer(7, 9, engine.layout.stride, len(read), content, blob, 0, is_read=True)
        assert engine.settle(SETTLE_S)
        (answered,) = engine.collect()
        assert parse_reply(answered.reply).status == BatchStatus.READ
        assert decode(engine.layout, read, answered.reply) == [70, 0]


def test_a_batch_may_have_as_many_commands_as_both_stages_events_have_room_for() -> None:
    with started(Orders, 2) as engine:
        stride, count = engine.layout.stride, EVENT_ROWS_MAX // 2 + 1
        with pytest.raises(
            MalformedBatch, match="expected at most 32768 commands of a service with events, found 32769"
        ):
            engine.prepare(1, 1, stride, count, bytes(stride * count), b"", 0)


@pytest.mark.slow
@pytest.mark.parametrize("deposits", [SCARCE, PLENTY], ids=["scarce", "plenty"])
@pytest.mark.parametrize("seed", range(4))
def test_any_number_of_workers_on_long_logs(seed: int, deposits: Sequence[int]) -> None:
    log = draw_log(random.Random(seed), tuple(WEIGHTS), 6000, deposits)
    with ExitStack() as stack:
        others = [stack.enter_context(started(Holdings, workers, round_rows=8 * workers)) for workers in (2, 3, 5)]
        others.append(stack.enter_context(started(Holdings, 2)))
        others.append(stack.enter_context(started(Holdings, 2, spin=0, choose=random_width(2, seed))))
        others.append(
            stack.enter_context(started(Holdings, 3, spin=500, choose=random_width(3, seed), round_rows=1 << 40))
        )
        assert_as_one_worker(Holdings, log, others)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_plain_handlers_one_after_another_give_the_same(seed: int) -> None:
    log = draw_log(random.Random(100 + seed), tuple(WEIGHTS), 700, SCARCE)
    with ExitStack() as stack:
        others = [
            stack.enter_context(started(Holdings, workers, compiled=False, round_rows=30)) for workers in (1, 2, 3)
        ]
        executed = assert_as_one_worker(Holdings, log, others)
    assert_as_plain_handlers(Holdings, log, executed)


@pytest.mark.slow
def test_sixteen_workers_on_however_few_cores() -> None:
    log = draw_log(random.Random(16), tuple(WEIGHTS), 1500, SCARCE)
    with started(Holdings, 16) as engine:
        assert_as_one_worker(Holdings, log, [engine])
