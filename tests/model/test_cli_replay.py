"""`psmr replay`: a position, its commands and its state, as text and as JSON; and one line for what cannot be had."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from replay_services import Ledger
from replay_support import Recording, files_of

from psmr.cli import main
from psmr.cli.exits import ExitCode

BATCH = [("add", (1, 5)), ("add", (2, 7)), ("close", (1,))]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[int, int]]:
    """Six entries: a session, a batch, one of two batches and a repetition, an empty one, and two batches again."""
    folder = tmp_path_factory.mktemp("replay") / "replica-1"
    with Recording(folder, Ledger) as recording:
        session = recording.open_session()
        first = recording.batch(session, BATCH)
        recording.append(first)
        recording.append(first, recording.batch(session, BATCH), recording.batch(session, [("add", (9, -1))]))
        recording.append(b"")
        recording.append(recording.batch(session, [("add", (1, 1)), ("add", (1, 2))]))
        recording.snapshot()
        recording.append(recording.batch(session, [("add", (3, 3))]))
        return folder, recording.digests


def replayed(folder: Path, *words: str) -> list[str]:
    return ["replay", str(folder), "--service", "replay_services", "--interpreted", *words]


def document(capsys: pytest.CaptureFixture[str], folder: Path, *words: str) -> dict[str, Any]:
    assert main(replayed(folder, *words, "--json")) == ExitCode.OK
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_every_position_has_the_state_that_the_replica_had(
    recorded: tuple[Path, dict[int, int]], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, digests = recorded
    before = files_of(folder)
    for index in (0, 3, 4, 6):
        found = document(capsys, folder, "--to", str(index))
        assert (found["position"], found["digest"]) == (str(index), f"{digests[index]:016x}")
        assert (found["first"], found["last"], found["started_at"]) == (0, 6, 5 if index == 6 else 0)
    assert found == document(capsys, folder), "without --to the end of the log"
    assert files_of(folder) == before


def test_one_command_of_an_entry_with_what_it_changed(
    recorded: tuple[Path, dict[int, int]], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, digests = recorded
    found = document(
        capsys, folder, "--to", "3:1", "--step", "--last", "1", "--show", "balances", "--show", "changes:2"
    )
    (step,) = found["steps"]
    # The batch that was executed before does not count: rows are those that were executed.
    assert (step["index"], step["row"], step["batch_row"], step["sequence"]) == (3, 1, 1, 2)
    assert (step["command"], step["arguments"], step["reply"]) == ("add", {"account": 2, "amount": 7}, 14)
    assert step["events"] == [{"name": "changed", "fields": {"account": 2, "balance": 14}}]
    changes = [(write["cell"], write["old"], write["new"]) for write in step["writes"]]
    assert changes == [("balances[2]", 7, 14), ("changes[2]", 1, 2)]
    balances, changed = found["state"]
    assert [(cell["key"], cell["value"]) for cell in balances["cells"]] == [(1, 5), (2, 14)]
    assert changed == {
        "shown": "changes:2",
        "cells": [{"cell": "changes[2]", "field": None, "key": 2, "value": 2}],
        "more": False,
    }
    assert found["digest"] not in (f"{digests[2]:016x}", f"{digests[3]:016x}")
    last = document(capsys, folder, "--to", "3:3", "--step", "--last", "1")
    assert (last["steps"][0]["sequence"], last["steps"][0]["batch_row"]) == (3, 0)
    assert last["digest"] == f"{digests[3]:016x}"


def test_steps_as_text(recorded: tuple[Path, dict[int, int]], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(replayed(recorded[0], "--step", "--from", "3:2", "--to", "5:0", "--show", "balances")) == ExitCode.OK
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[:4] == [
        ["3:2", "close(account=1)", "→", "True"],
        ["balances[1]", "5", "→", "nothing"],
        ["3:3", "add(account=9,", "amount=-1)", "→", "-1"],
        ["balances[9]", "nothing", "→", "-1"],
    ]
    assert ["5:0", "add(account=1,", "amount=1)", "→", "1"] in lines
    assert lines[-3:] == [["balances[1]", "1"], ["balances[2]", "14"], ["balances[9]", "-1"]]


def test_in_a_terminal_it_goes_on_jumps_and_shows(
    recorded: tuple[Path, dict[int, int]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    answers = iter(["", "5:1", "balances:1", "", "nothing", "2:0", "", "4", "99", "q"])

    def answer(prompt: str) -> str:
        asked.append(prompt.split()[0])
        return next(answers)

    monkeypatch.setattr("builtins.input", answer)
    for stream in (sys.stdin, sys.stdout):
        monkeypatch.setattr(stream, "isatty", lambda: True)
    assert main(replayed(recorded[0], "--step", "--from", "2:1")) == ExitCode.OK
    assert asked == ["2:0", "2:1", "5", "5", "6", "6", "2:0", "2:1", "4", "4"]
    lines = [line for line in capsys.readouterr().out.splitlines() if line]
    shown = [line.split()[0] for line in lines if line[0].isdigit()]
    assert shown == ["2:1", "5:1", "6:0", "2:0", "2:1"]
    assert "  balances[1]  3" in lines
    assert any("--show nothing: expected one of balances, changes" in line for line in lines)
    assert "expected a position up to 6" in lines[-1]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--to", "7"], "expected a position up to 6, the log's last entry, found 7"),
        (["--to", "3:4"], "expected a position in entry 3, which has commands 0 to 3, found 3:4: take one of those"),
        (["--to", "3:4", "--step"], "expected a position in entry 3, which has commands 0 to 3, found 3:4"),
        (["--to", "4:0"], "expected a position in entry 4, which has no command that was executed, found 4:0"),
        (["--to", "0:0"], "expected a log index from 1 on with a row, found 0:0"),
        (["--to", "three"], "--to three: expected a log index, or index:row"),
        (["--step", "--from", "3:9"], "expected a position in entry 3, which has commands 0 to 3, found 3:9"),
        (["--step", "--from", "7"], "--from 7: expected an entry from 1 to 6"),
        (["--from", "3"], "--from: expected --step with it"),
        (["--show", "balance"], "--show balance: expected one of balances, changes, found balance"),
        (["--show", "changed"], "--show changed: expected one of balances, changes, found changed"),
        (["--show", "balances:x"], "expected a key of Map(u64, i64, capacity=4096), found 'x'"),
        (["--show", "balances.x"], "--show balances.x: expected no field"),
        (["--service", "replay_services:Next"], "found those of Ledger (0x"),
        (["--service", "nowhere"], "expected a service's module"),
        (["--other-workers", "2", "--to", "3:1"], "--to 3:1: expected an entry, as whole entries are compared"),
        (["--diff", "nowhere"], "nowhere: expected the data folder of a replica, found none there"),
    ],
)
def test_bad_input_is_one_line(
    words: list[str], expected: str, recorded: tuple[Path, dict[int, int]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(replayed(recorded[0], *words)) == ExitCode.CALLER
    (line,) = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("replayed up to")]
    assert expected in line


def test_a_service_that_is_no_application_must_be_named(
    recorded: tuple[Path, dict[int, int]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", str(recorded[0])]) == ExitCode.CALLER
    assert "found it not among the applications: name it with --service module:class" in capsys.readouterr().err


def test_damage_is_a_violation(recorded: tuple[Path, dict[int, int]], tmp_path: Path) -> None:
    shutil.copytree(recorded[0], tmp_path, dirs_exist_ok=True)
    (segment,) = tmp_path.glob("log-[0-9]*.seg")
    data = bytearray(segment.read_bytes())
    data[200] ^= 1
    segment.write_bytes(data)
    assert main(replayed(tmp_path)) == ExitCode.VIOLATION
