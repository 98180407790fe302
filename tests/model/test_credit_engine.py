"""The credit matrix, interpreted and compiled, by one worker and by two: replies and state are the sequential model's."""

from __future__ import annotations

from collections import Counter
from itertools import islice

from execution_support import Batch, calls_of, decode, encode, engines, state_of

from apps.credit import APPLICATION, Answer, Credit
from apps.credit.codes import AMOUNT_MAX, CLIENTS
from cdep import service_of
from psmr.checking import Operation, check
from psmr.demo.told import ToldByBatch
from psmr.execution.engine import Engine
from psmr.execution.outcome import Executed
from psmr.workload import Told, WorkloadOptions

PARAMETERS = {"clients": "30", "room": "2", "wrong": "100000"}
EDGES: Batch = [
    ("set_gross", (CLIENTS - 1, AMOUNT_MAX)),
    ("set_gross", (CLIENTS, 1)),
    ("set_gross", ((1 << 32) - 1, 1)),
    ("set_gross", (0, AMOUNT_MAX + 1)),
    ("set_gross", (0, -(1 << 63))),
    ("reserve", (0, 0, 1)),
    ("reserve", (0, 1, (1 << 63) - 1)),
    ("reserve", (0, 1, -(1 << 63))),
    ("available_between", (0, 0)),
    ("available", ((1 << 32) - 1,)),
    ("suspend", (3,)),
    ("suspend", (3,)),
    ("reserve", (3, 4, 1)),
    ("reserve", (4, 3, 1)),
    ("reinstate", (3,)),
]


def _log() -> list[Batch]:
    workload = APPLICATION.workload(WorkloadOptions(clients=2, batch=50, parameters=PARAMETERS))
    drawn = [*workload.preload(), *islice(workload.batches(0), 10), *islice(workload.batches(1), 10)]
    return [*(calls_of(service_of(Credit), segments) for segments in drawn), EDGES]


def _execute(engine: Engine, log: list[Batch]) -> list[Executed]:
    executed: list[Executed] = []
    for sequence, batch in enumerate(log, 1):
        records, blob = encode(engine.layout, batch)
        while not engine.offer(7, sequence, engine.layout.stride, len(batch), records, blob, 0):
            executed += engine.collect()
    assert engine.settle(60.0), f"expected the workers to finish, found {engine.dead()}"
    return executed + engine.collect()


def _told(engine: Engine, gave: Executed) -> list[Told]:
    events = ToldByBatch(engine.service)
    events.take(0, 0, gave)
    by_row = events.of((gave.session, gave.sequence))
    return [event for row in sorted(by_row) for event in by_row[row]]


def test_replies_and_state_are_the_models_however_it_is_executed() -> None:
    log = _log()
    model = APPLICATION.model()
    expected, told = [], []
    for batch in log:
        expected.append([model.apply(*call) for call in batch])
        told.append(model.events)
        model.events = []
    with engines(Credit, (1, 2)) as made:
        for name, engine in made.items():
            executed = _execute(engine, log)
            answers = [decode(engine.layout, batch, gave.reply) for batch, gave in zip(log, executed, strict=True)]
            assert answers == expected, name
            assert [_told(engine, gave) for gave in executed] == told, name
        assert len({engine.digest() for engine in made.values()}) == 1
        assert state_of(made["compiled, 2 workers"]) == model.state()
        assert made["compiled, 2 workers"].counters().synchronous_commands > 100, "two clients, two workers: they meet"
    counts = Counter(reply for replies in expected for reply in replies if isinstance(reply, Answer))
    assert len(counts) >= 17
    rows = [
        (*call, reply) for batch, row in zip(log, expected, strict=True) for call, reply in zip(batch, row, strict=True)
    ]
    history = [Operation("one", 2 * place, 2 * place + 1, *contents) for place, contents in enumerate(rows)]
    assert check(history, APPLICATION.checking).linearizable
