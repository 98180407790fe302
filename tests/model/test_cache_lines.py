"""No two workers write one cache line in parallel mode: counted by `bench.lines`, and planted sharing is noticed."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from bench._lines_apart import Request, counted, recorded_folder
from bench.lines import SERVICES, passed

WORKERS = (2, 3, 5)
PARTS = ("control", "frames", "undo", "arena", "replies", "state")

PROGRAM = """
import json, sys
from pathlib import Path
from bench._lines_recording import record_stores

log = record_stores(Path(sys.argv[1]))
from cdep.compiled import inlined
from psmr.execution import layout as at
from psmr.state import frame as frames, rows
{at_import}
from bench._lines_apart import Request
from bench._lines_counting import count
from psmr.execution.generated import server_module

def prepare(engine):
    memory = engine.memory
    first, second = memory.frames if engine.workers == 2 else (0, 0)
    {at_start}

print(json.dumps(count(Request("work", (2,), 3, 64), log, prepare)))
"""
"""Counts `Work` with two workers after a change: `at_import` before anything is compiled, `at_start` of an engine."""

UNDO_TOO_NEAR = "second and memory.set(second + frames.UNDO_BASE, memory.get(first + frames.UNDO_BASE) + 16)"
REPLIES_TOO_NEAR = (
    "second and memory.set(second + at.FRAME_REPLY_STARTS, memory.get(first + at.FRAME_REPLY_STARTS) + 32)"
)
SIDE_BY_SIDE = "at.WORKER_BYTES, at.REACHED, at.RESUME, at.ASLEEP, at.ALARM = 32, 512, 1024, 1536, 2048"
IN_ORDER_OF_NUMBERS = """
rows.row_address = inlined(lambda base, index, capacity, row_bytes, bytes_of_group, bits: base + index * row_bytes)
"""
OFF_THE_RECORD = """
    module = server_module(engine._owner)
    run = module.run
    def run_and_write(frame, bases):
        run(frame, bases)
        memory.set(frame + 4000, memory.get(frame + 4000) + 1)
    module.run = run_and_write
"""


def planted(*, at_import: str = "", at_start: str = "pass") -> dict[str, Any]:
    program = PROGRAM.format(at_import=at_import, at_start=at_start)
    command = [sys.executable, "-c", program, str(recorded_folder(at_import))]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    (row,) = json.loads(ran.stdout)
    assert row["answers_equal"], "the planted change is meant to be harmless but for the lines"
    return dict(row)


def shared(row: dict[str, Any]) -> set[str]:
    """The parts with lines that both workers have written."""
    return {part for part, lines in row["shared"].items() if lines}


@pytest.mark.parametrize(
    "service", [pytest.param(each, marks=pytest.mark.long if each in ("kv", "nameserver") else ()) for each in SERVICES]
)
def test_no_two_workers_write_one_line(service: str) -> None:
    rows = list(counted(Request(service, WORKERS, 2, 200)))
    assert [row["workers"] for row in rows] == list(WORKERS)
    for row in rows:
        assert {part for part, lines in row["lines"].items() if any(lines)} <= set(PARTS)
        assert all(
            lines > 0 for part in ("control", "frames", "undo", "replies", "state") for lines in row["lines"][part]
        )
        assert all(executed > 0 for executed in row["executed"])
        assert shared(row) == set()
        assert passed({"rows": [row]}), row


def test_the_unchanged_engine_shares_nothing() -> None:
    row = planted()
    assert shared(row) == set()
    assert row["unrecorded"] == 0


@pytest.mark.parametrize(
    ("part", "at_start"), [("undo", UNDO_TOO_NEAR), ("replies", REPLIES_TOO_NEAR)], ids=["undo", "replies"]
)
def test_private_memory_too_near_another_workers_is_noticed(part: str, at_start: str) -> None:
    row = planted(at_start=at_start)
    assert shared(row) == {part}
    assert not passed({"rows": [row]})


def test_counters_side_by_side_are_noticed() -> None:
    row = planted(at_import=SIDE_BY_SIDE)
    assert shared(row) == {"control"}
    assert not passed({"rows": [row]})


def test_cells_in_order_of_their_numbers_are_noticed() -> None:
    row = planted(at_import=IN_ORDER_OF_NUMBERS)
    assert shared(row) == {"state"}
    assert not passed({"rows": [row]})


def test_a_write_off_the_record_is_noticed() -> None:
    row = planted(at_start=OFF_THE_RECORD.strip())
    assert row["unrecorded"] > 0
    assert not passed({"rows": [row]})
