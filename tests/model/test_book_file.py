"""A real hour of one stock: every visible execution meets the resting order that the file says, but for what it explains itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import pytest
from execution_support import NOW_US, engines

from apps.book import APPLICATION, Book
from apps.book.model import BookModel
from proxies.calls import calls_of, replies_of
from psmr.core.reply import parse_reply
from psmr.demo.told import ToldByBatch
from psmr.demo.traffic import BatchEncoder
from psmr.execution.engine import Engine
from psmr.workload import Judge, Segment, WorkloadOptions

FILE = Path(__file__).parents[3] / "shared/data/lobster/AAPL_2012-06-21_34200000_37800000_message_50.csv"
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not FILE.exists(), reason=f"{FILE} is not there")]


def batches() -> Iterator[Sequence[Segment]]:
    workload = APPLICATION.workload(WorkloadOptions(clients=1, batch=1024, input_file=FILE))
    yield from workload.preload()
    yield from workload.batches(0)


def compare(engine: Engine, log: Iterator[Sequence[Segment]], model: BookModel, judge: Judge | None) -> None:
    """Execute batch by batch; replies and events are the model's, and the judge sees them."""
    encoder, layout = BatchEncoder(engine.service), engine.layout
    for sequence, segments in enumerate(log, 1):
        records, count, blob = encoder.encode(segments)
        assert engine.offer(7, sequence, len(records) // count, count, records, blob, NOW_US)
        assert engine.settle(60.0), engine.dead()
        told = ToldByBatch(engine.service)
        (executed,) = engine.collect()
        told.take(1, NOW_US, executed)
        events, reply = told.of((7, sequence)), parse_reply(executed.reply)
        calls = calls_of(layout, records, count, blob)
        for row, (call, value) in enumerate(
            zip(calls, replies_of(layout, calls, reply.records, reply.blob), strict=True)
        ):
            model.events.clear()
            assert value == model.apply(call.command, call.arguments), call
            assert value >= 0, f"{call} was rejected"
            assert events.get(row, []) == model.events, call
            if judge is not None:
                judge.see(call.command, call.arguments, value, events.get(row, []))


def test_the_whole_file_is_matched_as_the_market_did() -> None:
    assert APPLICATION.judge is not None
    judge = APPLICATION.judge(WorkloadOptions(input_file=FILE))
    assert judge is not None
    with engines(Book, (1,), forms=(True,)) as made:
        (engine,) = made.values()
        compare(engine, batches(), BookModel(), judge)
    judgement = judge.judgement()
    assert judgement.holds
    assert judgement.figures == {
        "executions_compared": 4067,
        "same_resting_order": 4031,
        "mismatches": {"out_of_priority": 24, "unknown_order": 12},
    }


def test_the_beginning_of_the_file_leaves_one_state_in_both_forms() -> None:
    with engines(Book, (1,)) as made:
        for engine in made.values():
            compare(engine, islice(batches(), 4), BookModel(), None)
        assert len({engine.digest() for engine in made.values()}) == 1
