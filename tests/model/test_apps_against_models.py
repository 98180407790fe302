"""The applications under their own workloads: every reply and the state at the end are those of their sequential models."""

from __future__ import annotations

import lzma
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from execution_support import Batch, Raised, calls_of, decode, engines, execute, state_of

from apps import kv, nameserver, netfs
from apps.nameserver.packing import ADD, Change, pack_changes, unpack_records
from apps.nameserver.record_data import data_text, kind_name
from cdep import service_of
from psmr.checking import Operation, check
from psmr.execution.engine import Engine
from psmr.workload import Application, Model, Workload, WorkloadOptions

DATA = Path(__file__).parents[3] / "shared" / "data"
BATCHES = 12

CASES = [
    *((kv.APPLICATION, {"mix": mix, "keys": "200"}) for mix in ("A", "B", "C", "D", "E", "F", "demo")),
    *((kv.VARIANTS["integer"], {"mix": mix, "distribution": "uniform"}) for mix in ("A", "D", "F", "demo")),
    (nameserver.APPLICATION, {"names": "100"}),
    (netfs.APPLICATION, {"files": "40", "structure": "1000"}),
]


def needs(name: str) -> Path:
    """A file of real data; the test that needs it is skipped where it is not."""
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{path} is not there")
    return path


def log_of(application: Application, workload: Workload, clients: int, batches: int | None) -> list[Batch]:
    """What is loaded, then the clients' batches, by turns."""
    service = service_of(application.service)
    log = [calls_of(service, segments) for segments in workload.preload()]
    streams = [islice(workload.batches(client), batches) for client in range(clients)]
    while streams:
        for stream in list(streams):
            segments = next(stream, None)
            if segments is None:
                streams.remove(stream)
            else:
                log.append(calls_of(service, segments))
    return log


def replies_as_the_model(engine: Engine, model: Model, log: list[Batch]) -> list[list[Any]]:
    """The replies to each batch, all of them the model's; so is the state in the end."""
    answers = [decode(engine.layout, batch, reply) for batch, reply in zip(log, execute(engine, log), strict=True)]
    for batch, replies in zip(log, answers, strict=True):
        for (command, arguments), reply in zip(batch, replies, strict=True):
            assert reply == model.apply(command, arguments), (command, arguments)
    assert state_of(engine) == model.state()
    return answers


def history(log: Iterable[Batch], answers: Iterable[list[Any]]) -> list[Operation]:
    """The log as what one client saw, one call after another."""
    rows = [
        (*call, reply)
        for batch, replies in zip(log, answers, strict=True)
        for call, reply in zip(batch, replies, strict=True)
    ]
    return [Operation("one", 2 * row, 2 * row + 1, *contents) for row, contents in enumerate(rows)]


@pytest.mark.parametrize(("application", "parameters"), CASES, ids=lambda case: getattr(case, "service", case))
def test_a_workload_gets_the_replies_and_the_state_of_the_model(
    application: Application, parameters: dict[str, str]
) -> None:
    workload = application.workload(WorkloadOptions(clients=2, batch=50, parameters=parameters))
    log = log_of(application, workload, clients=2, batches=BATCHES)
    with engines(application.service, (2,), forms=(True,)) as made:
        answers = replies_as_the_model(*made.values(), application.model(), log)
    operations = history(log, answers)
    assert check(operations, application.checking).linearizable
    place = next(place for place, operation in enumerate(operations) if operation.command in ("get", "lookup", "read"))
    operations[place] = operations[place]._replace(reply=b"never written")
    assert check(operations, application.checking).linearizable is False


def test_a_real_key_stream_gets_the_replies_and_the_state_of_the_model() -> None:
    options = WorkloadOptions(clients=3, batch=100, input_file=needs("keys/web12.trace.xz"))
    for application in (kv.APPLICATION, kv.VARIANTS["integer"]):
        log = log_of(application, application.workload(options), clients=3, batches=40)
        with engines(application.service, (2,), forms=(True,)) as made:
            replies_as_the_model(*made.values(), application.model(), log)


def test_the_real_zone_after_all_its_real_updates_is_what_its_lines_say() -> None:
    folder = needs("dns/updates.txt.xz").parent
    application = nameserver.APPLICATION
    workload = application.workload(WorkloadOptions(clients=1, batch=200, input_file=folder))
    log = log_of(application, workload, clients=1, batches=None)
    assert sum(command == "update_zone" for batch in log for command, _ in batch) == 212, "every block is one update"
    with engines(application.service, (2,), forms=(True,)) as made:
        (engine,) = made.values()
        replies_as_the_model(engine, application.model(), log)
        state = state_of(engine)
    records = {
        (name.decode(), record.ttl, kind_name(record.kind), data_text(record.kind, record.data))
        for name, packed in state["records"].items()
        for record in unpack_records(packed)
    }
    assert records == _lines_left(folder)
    assert state["serials"] == [212]


def _lines_left(folder: Path) -> set[tuple[str, int, str, str]]:
    """The zone's records after the updates, by nothing but adding and removing lines of text."""
    lines = {_fields(line) for line in (folder / "root.zone").read_text().splitlines()}
    with lzma.open(folder / "updates.txt.xz", "rt") as updates:
        for line in updates:
            if line[0] == "@" or len(line.split()) < 5:
                continue
            change = lines.add if line[0] == "+" else lines.remove
            change(_fields(line[2:]))
    return lines


def _fields(line: str) -> tuple[str, int, str, str]:
    name, ttl, _, kind, data = line.split(None, 4)
    return name, int(ttl), kind, data.strip()


@pytest.mark.parametrize("compiled", [True, False])
def test_an_update_that_reads_too_much_is_refused_and_changes_nothing(compiled: bool) -> None:
    records = [Change(ADD, 16, 60, bytes([number]) * size) for number, size in enumerate((1000, 1000, 1000, 1))]
    again = [Change(ADD, 16, number, bytes([3])) for number in range(400)]
    sections = [(b"%d." % number, again) for number in range(30)]
    log = [
        [("update_zone", (pack_changes((name, records) for name, _ in sections),))],
        [("update_zone", (pack_changes(sections),)), ("lookup", (b"0.", 255)), ("serial", ())],
    ]
    with engines(nameserver.Nameserver, (1,), forms=(compiled,)) as made:
        (engine,) = made.values()
        _, reply = execute(engine, log)
        refused, looked_up, serial = decode(engine.layout, log[1], reply)
    assert isinstance(refused, Raised)
    assert refused.text.startswith("CommandTooLarge")
    assert [record.ttl for record in unpack_records(looked_up)] == [60] * 4
    assert serial == 1
