"""Two replays beside each other stop at the first command that differs, and say in what; equal ones are found equal."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from execution_support import Batch
from replay_services import EMITTING, OTHER, RATED, REPLYING, VARIABLE, WRITING, Ledger, Next
from replay_support import Recording, files_of

from cdep import StateMachine
from cdep.groups import group_of
from psmr.cli import main
from psmr.cli.exits import ExitCode
from psmr.errors import ConfigurationError
from psmr.replaying.folder import ReplicaFolder
from psmr.replaying.lockstep import Difference
from psmr.replaying.position import Position
from psmr.replaying.travel import Compared, Side, compare

ACCOUNTS = 24
ROW = 7
"""Of each batch, the row with the sum that may make a difference."""
SUMS = {6: REPLYING, 7: WRITING, 8: EMITTING, 9: RATED}
"""Which, by log index."""
SAME_GROUP = [key for key in range(4000) if group_of(key) == group_of(0)][1:3]
LAST = 11


def quiet(index: int) -> None:
    """Nobody waits."""


def batch_at(index: int) -> Batch:
    """What is at a log index; two accounts are opened at the last."""
    calls: Batch = [("add", (account, index + account % 3)) for account in range(ACCOUNTS)]
    calls[ROW] = ("add", (3000 + index, SUMS.get(index, 1)))
    return [*calls, ("close", (index,)), *([("open_both", tuple(SAME_GROUP))] if index == LAST else [])]


def record(folder: Path, *, snapshots: tuple[int, ...] = (), last: int = LAST) -> Path:
    """The folder of a replica; its log's first entry opens a session."""
    with Recording(folder, Ledger) as recording:
        session = recording.open_session()
        for index in range(2, last + 1):
            recording.append(recording.batch(session, batch_at(index)))
            if index in snapshots:
                recording.snapshot()
    return folder


def side(folder: Path, owner: type[StateMachine] = Ledger, workers: int = 1) -> Side:
    return Side(ReplicaFolder.open(folder), owner, workers, compiled=False)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record(tmp_path_factory.mktemp("ledger") / "replica", snapshots=(5, 6, 7, 10))


def difference_from(recorded: Path, owner: type[StateMachine], first: int) -> Difference:
    """The first one to another service, begun with the state before an entry."""
    one = side(recorded)
    found = compare(one, one.as_executed_by(owner, 1, compiled=False), first, None, quiet).difference
    assert found is not None
    return found


def cells_of(found: Difference) -> list[tuple[str, object, object]]:
    return [(str(each.cell), each.expected, each.found) for each in found.cells]


def test_equal_folders_are_equal_whatever_snapshots_they_have(recorded: Path, tmp_path: Path) -> None:
    other = record(tmp_path / "other", snapshots=(4, 7), last=10)
    before = files_of(other)
    assert compare(side(recorded), side(other, workers=2), None, None, quiet) == Compared(0, 10, None)
    assert files_of(other) == before


@pytest.mark.parametrize(
    ("index", "what", "cells"),
    [(6, ["reply"], []), (7, ["writes"], [("changes[3007]", 1, 0)]), (8, ["events"], [])],
)
def test_a_rare_branch_is_found_at_its_command(
    index: int, what: list[str], cells: list[tuple[str, int, int]], recorded: Path
) -> None:
    found = difference_from(recorded, OTHER, index)
    assert (found.where, found.position, found.what, cells_of(found)) == ("command", Position(index, ROW), what, cells)
    assert found.expected is not None
    assert found.found is not None
    assert found.expected.arguments == found.found.arguments == {"account": 3000 + index, "amount": SUMS[index]}
    assert (found.expected.reply, found.found.reply) == (SUMS[index], SUMS[index] + (index == 6))
    assert (len(found.expected.events), len(found.found.events)) == (1, 1 + (index == 8))


def test_keys_at_other_places_are_a_difference(recorded: Path) -> None:
    found = difference_from(recorded, OTHER, LAST)
    assert (found.where, found.position, found.what) == ("command", Position(LAST, ACCOUNTS + 1), ["writes"])
    places = {each.cell.key: each.places for each in found.cells}
    first, second = (places[key] for key in SAME_GROUP)
    assert first == second[::-1]
    assert first[0] != first[1]


def test_kept_events_and_snapshots_tell_what_the_log_does_not(
    tmp_path: Path, recorded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "5")
    other = record(tmp_path / "other", snapshots=(4, 10))
    monkeypatch.delenv(VARIABLE)
    emitted = difference_of_folders(recorded, other)
    assert (emitted.where, emitted.position, emitted.of) == ("events", Position(9, ROW), str(other))
    assert emitted.expected is not None
    assert emitted.found is not None
    balances = [step.events[0][1]["balance"] for step in (emitted.expected, emitted.found)]
    assert (emitted.expected.arguments["account"], balances) == (3009, [RATED, RATED + 5])
    shutil.rmtree(other / "events")
    found = difference_of_folders(recorded, other)
    assert (found.where, found.position, found.of) == ("snapshot", Position(10), str(other))
    assert cells_of(found) == [("balances[3009]", RATED, RATED + 5)]
    # Begun with what each replica had they are different at once.
    started = difference_of_folders(recorded, other, 11)
    assert (started.where, started.position, started.cells) == ("start", Position(10), found.cells)


def difference_of_folders(one: Path, other: Path, first: int | None = None) -> Difference:
    found = compare(side(one), side(other), first, None, quiet).difference
    assert found is not None
    return found


def test_logs_that_differ_are_told_apart(recorded: Path, tmp_path: Path) -> None:
    with Recording(tmp_path / "other", Ledger) as recording:
        recording.run([batch_at(2), batch_at(3), [("add", (1, 1))]])
    found = difference_of_folders(recorded, tmp_path / "other")
    assert (found.where, found.position) == ("log", Position(4))


def test_another_version_executes_the_same_commands_by_name(recorded: Path) -> None:
    found = difference_from(recorded, Next, 7)
    assert (found.where, found.position, found.what) == ("command", Position(7, ROW), ["reply", "events", "writes"])
    assert cells_of(found) == [("balances[3007]", WRITING, WRITING - 1)]
    with pytest.raises(
        ConfigurationError, match=r"log index 11: expected commands that Next version 2 .* found open_both"
    ):
        difference_from(recorded, Next, 11)


def test_the_command_says_whether_two_are_equal(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["replay", str(recorded), "--service", "replay_services", "--interpreted", "--from", "7"]
    assert main([*words, "--to", "9", "--other-workers", "2", "--json"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["identical"] is True
    assert main([*words, "--other-service", "replay_services:OTHER"]) == ExitCode.FAILED
    text = capsys.readouterr().out
    assert (
        f"the first difference is at 7:{ROW}: writes\nadd(account=3007, amount=992)   session 65536, sequence 6" in text
    )
    assert text.splitlines()[-1].split() == ["changes[3007]", "1", "0"]
    assert (
        main([*words, "--diff", str(recorded), "--other-service", "replay_services:OTHER", "--json"]) == ExitCode.FAILED
    )
    document = json.loads(capsys.readouterr().out)
    assert document["difference"]["position"] == f"7:{ROW}"
    assert document["difference"]["cells"] == [
        {"cell": "changes[3007]", "expected": 1, "found": 0, "places": [None, None]}
    ]
    assert document["difference"]["expected"]["command"] == "add"
