"""LOBSTER files: lines as messages, messages as calls, and what an engine must make of them."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from apps.book import APPLICATION
from apps.book.lobster import MalformedMessageError, Message, Messages, Type, parse
from apps.book.model import BookModel
from apps.book.replay import TAKING_ORDERS, FileReplay
from apps.book.rules import Side
from apps.book.shares import measured
from apps.book.workload import judge, workload
from apps.parameters import InvalidParameterError
from psmr.workload import Judgement, WorkloadOptions

LINES = """\
34200.004241176,1,11,18,5853300,1
34200.1,1,12,20,5853300,1
34200.2,1,13,5,5853400,1
34200.3,2,12,5,5853300,1
34200.4,4,13,5,5853400,1
34200.5,4,11,10,5853300,1
34200.6,4,12,3,5853300,1
34200.7,5,0,100,5853350,-1
34200.8,7,0,0,-1,-1
34200.9,7,0,0,0,-1
34201,7,0,0,1,-1
34201.1,3,99,10,5853300,1
34201.2,4,98,10,5853300,1
34201.3,6,0,10,5853300,-1
34201.4,4,11,8,5853300,1
34201.5,4,12,2,5853300,1
34201.6,3,12,10,5853300,1
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "messages.csv"
    path.write_text(LINES)
    return path


def judged(path: Path, **parameters: str) -> Judgement:
    """The judgement of a run of the model over the whole file."""
    options = WorkloadOptions(input_file=path, batch=3, parameters=parameters)
    calls, model, referee = workload(options), BookModel(), judge(options)
    assert referee is not None
    for batches in (calls.preload(), calls.batches(0)):
        for segments in batches:
            for segment in segments:
                for arguments in zip(*(column.tolist() for column in segment.columns.values()), strict=True):
                    model.events.clear()
                    reply = model.apply(segment.command, arguments)
                    referee.see(segment.command, arguments, reply, model.events)
    return referee.judgement()


def test_messages_become_calls(file: Path) -> None:
    replay = FileReplay()
    calls = [(call.line, call.command, call.arguments[2:]) for call in replay.calls(Messages(file))]
    assert calls == [
        (1, "limit", (11, 1, 0, 0, 58533, 18)),
        (2, "limit", (12, 1, 0, 0, 58533, 20)),
        (3, "limit", (13, 1, 0, 0, 58534, 5)),
        (4, "replace", (12, 58533, 15)),
        (5, "limit", (TAKING_ORDERS + 5, 2, 1, 0, 58534, 5)),
        (6, "limit", (TAKING_ORDERS + 6, 2, 1, 0, 58533, 10)),
        (7, "replace", (12, 58533, 12)),
        (9, "halt", ()),
        (11, "resume", ()),
        (15, "limit", (TAKING_ORDERS + 15, 2, 1, 0, 58533, 8)),
        (16, "limit", (TAKING_ORDERS + 16, 2, 1, 0, 58533, 2)),
        (17, "cancel", (12,)),
    ]
    assert replay.uncalled == {"hidden_execution": 1, "halt": 1, "deletion": 1, "execution": 1, "cross": 1}


def test_executions_are_compared_and_what_differs_has_a_class(file: Path) -> None:
    judgement = judged(file)
    assert judgement.figures == {
        "executions_compared": 6,
        "same_resting_order": 4,
        "mismatches": {"out_of_priority": 1, "unknown_order": 1},
    }
    assert not judgement.holds, "4 of 6 are too few"


def test_departures_that_are_sent_make_later_executions_differ(file: Path) -> None:
    judgement = judged(file, departures="sent")
    assert judgement.figures["mismatches"] == {"another_order": 1, "out_of_priority": 1, "unknown_order": 1}
    assert not judgement.holds


def test_an_engine_that_meets_the_right_orders_passes(tmp_path: Path) -> None:
    path = tmp_path / "right.csv"
    path.write_text("".join(LINES.splitlines(keepends=True)[:6]))
    judgement = judged(path)
    assert judgement.holds
    assert judgement.figures == {"executions_compared": 2, "same_resting_order": 2, "mismatches": {}}


def test_an_execution_that_met_nothing_or_another_is_a_failure(file: Path) -> None:
    referee = judge(WorkloadOptions(input_file=file))
    assert referee is not None
    arguments = (0, 2, TAKING_ORDERS + 5, 2, 1, 0, 58534, 5)
    referee.see("limit", arguments, 0, [("cancelled", (0, 2, arguments[2], 2, 3, 58534, 5))])
    filled = (0, 2, 58533, 10, TAKING_ORDERS + 15, 2, 0, 12, 1, 5)
    referee.see("limit", (0, 2, TAKING_ORDERS + 15, 2, 1, 0, 58533, 10), 10, [("filled", filled)])
    found = referee.judgement()
    assert not found.holds
    assert found.figures["mismatches"] == {
        "another_order": 1,
        "not_executed": 1,
        "not_filled": 1,
        "out_of_priority": 1,
        "unknown_order": 1,
    }


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", "expected time,type,order id"),
        ("34200.1,1,11,18,5853300", "expected time,type,order id"),
        ("noon,1,11,18,5853300,1", "time: expected seconds"),
        ("34200.1,1,x,18,5853300,1", "order id: expected a whole number"),
        ("34200.1,1,11,18.5,5853300,1", "size: expected a whole number"),
        ("34200.1,8,11,18,5853300,1", "type: expected 1 to 7, found 8"),
        ("34200.1,1,11,18,5853300,0", "direction: expected 1"),
        ("34200.1,1,11,0,5853300,1", "size: expected 1 to"),
        ("34200.1,1,11,-5,5853300,1", "size: expected 1 to"),
        ("34200.1,1,11,99999999999999999999,5853300,1", "size: expected a whole number of 64 bits"),
        ("34200.1,1,11,9999999999,5853300,1", "size: expected 1 to"),
        ("34200.1,1,0,18,5853300,1", "order id: expected a positive number"),
        ("34200.1,1,11,18,5853350,1", "price: expected a multiple of 100"),
        ("34200.1,1,11,18,0,1", "price: expected a multiple of 100 from 100"),
        ("34200.1,1,11,18,-5853300,1", "price: expected a multiple of 100 from 100"),
        ("34200.1,1,11,18,26214400,1", "price: expected a multiple of 100 from 100 to 26214300"),
        ("34200.1,7,0,0,5,1", "price: expected -1, 0 or 1"),
        ("34200.1,1,\u0661,18,5853300,1", "order id: expected a whole number"),
    ],
)
def test_a_malformed_line_is_named_or_skipped(file: Path, line: str, words: str) -> None:
    file.write_text(LINES + line + "\n34300,3,11,1,5853300,1\n", encoding="utf-8")
    with pytest.raises(MalformedMessageError, match="line 18: ") as raised:
        workload(WorkloadOptions(input_file=file))
    assert words in str(raised.value)
    messages = Messages(file, skip_malformed=True)
    assert [message.line for message in messages][-1] == 19
    assert [skipped.line for skipped in messages.skipped] == [18]
    workload(WorkloadOptions(input_file=file, parameters={"malformed": "skip"}))


def test_a_line_is_read_as_it_is() -> None:
    assert parse(3, "34200.5,4,13,5,5853400,-1\r\n") == Message(3, Type.EXECUTION, 13, 5, 58534, Side.SELL)


def test_no_file_and_unknown_parameters_are_said(tmp_path: Path, file: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"expected a LOBSTER message file"):
        workload(WorkloadOptions(input_file=tmp_path / "none.csv"))
    with pytest.raises(InvalidParameterError, match="malformed: expected one of fatal, skip"):
        workload(WorkloadOptions(input_file=file, parameters={"malformed": "maybe"}))
    with pytest.raises(InvalidParameterError, match="instruments: expected a whole number from 1 to 4096"):
        workload(WorkloadOptions(parameters={"instruments": "5000"}))
    assert judge(WorkloadOptions()) is None


def test_the_generated_flow_has_the_shares_of_a_file_and_is_the_same_again() -> None:
    options = WorkloadOptions(batch=500, parameters={"instruments": "50", "mix": "file"})
    first, again = (list(islice(APPLICATION.workload(options).batches(1), 40)) for _ in range(2))
    counts: dict[str, int] = {}
    for segments, others in zip(first, again, strict=True):
        for segment, other in zip(segments, others, strict=True):
            counts[segment.command] = counts.get(segment.command, 0) + segment.count
            assert all((segment.columns[name] == other.columns[name]).all() for name in segment.columns)
    total = sum(counts.values())
    assert counts["cancel"] / total == pytest.approx(0.457, abs=0.05)
    assert counts["replace"] / total == pytest.approx(0.005, abs=0.005)
    assert set(counts) == {"limit", "cancel", "replace"}


def test_clients_number_their_orders_apart() -> None:
    options = WorkloadOptions(clients=2, batch=500, parameters={"instruments": "5"})
    numbers = [
        {
            int(order)
            for segments in islice(APPLICATION.workload(options).batches(client), 3)
            for segment in segments
            if segment.command == "limit"
            for order in segment.columns["order"]
        }
        for client in (0, 1)
    ]
    assert not numbers[0] & numbers[1]


def test_shares_of_a_file(file: Path) -> None:
    found = measured(Messages(file))
    assert found["types"]["execution"] == pytest.approx(6 / 17, abs=1e-4)
    assert found["distances"] == {"first": 0.33333, "up to 0": 0.33333, "better": 0.33333}
