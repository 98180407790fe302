"""Fuzzing itself: a case is the same each time, a wrong decoder is caught, and every decoder passes a few thousand cases."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from psmr.cli import main
from psmr.cli.exits import ExitCode
from psmr.errors import ConfigurationError, LogDamaged
from psmr.fuzzing import SUMMARIES, Target, build, replay, run, running
from psmr.fuzzing.mutation import MUTANT_BYTES_MAX, Chance, mutant
from psmr.fuzzing.running import WRONG, minimise
from psmr.fuzzing.target import pack_frames, unpack_frames
from psmr.storage import record

SMOKE_CASES = 3_000
PATIENCE_S = 60
FEWER_CASES = {
    "log": 800,
    "snapshot": 1_000,
    "snapshot-parts": 800,
    "event-log": 400,
    "hard-state": 1_000,
    "commit-mark": 1_000,
}
"""Of what writes and reads files in each case."""


@pytest.fixture
def records(tmp_path: Path) -> Target:
    return build("record", tmp_path)


def test_a_seed_and_a_case_decide_the_mutant(records: Target) -> None:
    mutants = [mutant(records, 3, case) for case in range(300)]
    assert mutants == [mutant(records, 3, case) for case in range(300)]
    assert len(set(mutants)) > 250
    assert mutants != [mutant(records, 4, case) for case in range(300)]
    assert len(set(mutants) & set(records.corpus)) < 30


def test_draws_are_the_same_on_every_machine() -> None:
    """Numbers of cases are written into reports: they must mean the same elsewhere."""
    chance = Chance(1, 2)
    assert [chance.below(1000) for _ in range(6)] == [226, 122, 414, 819, 286, 823]


def test_draws_keep_to_their_limit() -> None:
    chance = Chance(5, 6)
    assert {chance.below(7) for _ in range(500)} == set(range(7))
    assert max(chance.below(1 << 32) for _ in range(500)) >= 1 << 31


def test_half_of_the_mutants_reach_what_lies_behind_a_checksum(records: Target) -> None:
    unsealed = replace(records, seal=None)
    assert run(records, 1, 3000).accepted > 2 * run(unsealed, 1, 3000).accepted


def test_no_mutant_grows_without_end() -> None:
    large = Target("large", (b"x" * 60_000,), len, (), lambda data, value: None, tokens=(b"y" * 5_000,))
    assert max(len(mutant(large, 1, case)) for case in range(300)) == MUTANT_BYTES_MAX


def test_frames_come_back_from_one_input() -> None:
    assert unpack_frames(pack_frames([b"a", b"", b"ccc"])) == [b"a", b"", b"ccc"]
    assert unpack_frames(b"") == [b""]
    assert unpack_frames(b"\xff\xff\xff\xffab") == [b"ab"]


def _forgets_the_checksum(data: bytes) -> list[record.Record]:
    if len(data) < record.HEADER_BYTES or record.padded_bytes(int.from_bytes(data[4:8], "little")) != len(data):
        raise LogDamaged
    return [record.decode_unchecked(data)]


def _trusts_the_length(data: bytes) -> list[record.Record]:
    return [record.decode(data)] if data[3] == 0x52 and data[39] else []


def _never_ends(data: bytes) -> list[record.Record]:
    while True:
        pass


@pytest.mark.parametrize(
    ("decode", "kind"), [(_forgets_the_checksum, WRONG), (_trusts_the_length, "IndexError"), (_never_ends, "Hang")]
)
def test_a_planted_fault_is_caught_and_its_case_replays_it(
    decode: Callable[[bytes], Any], kind: str, records: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "Hang":
        monkeypatch.setattr(running, "BLOCK_S_MAX", 0.05)
    planted = replace(records, decode=decode)
    if kind == "IndexError":
        planted = replace(planted, wrong=lambda data, value: None)
    found = run(planted, 1, 5_000).failure
    assert found is not None
    assert found.kind == kind
    assert found.replay_command() == f"psmr fuzz record --seed 1 --case {found.case}"
    data, again = replay(planted, 1, found.case)
    assert again.failure is not None
    assert (data, again.failure.kind) == (found.data, found.kind)
    assert len(found.minimised) <= len(found.data)


def test_a_failing_input_is_made_small() -> None:
    def fails(data: bytes) -> bool:
        return b"\x07" in data and len(data) >= 3

    small = minimise(bytes(range(200)), fails)
    assert sorted(small) == [0, 0, 7]


@pytest.mark.parametrize("name", SUMMARIES)
def test_every_decoder_passes(name: str, tmp_path: Path) -> None:
    target = build(name, tmp_path)
    for data in target.corpus:
        assert target.wrong(data, target.decode(data)) is None
    cases = FEWER_CASES.get(name, SMOKE_CASES)
    result = run(target, 11, cases)
    assert result.failure is None
    assert result.cases == cases
    assert result.accepted > 0
    assert result.refused > 0 or not target.refusals


def test_an_unknown_decoder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="fuzz nothing: expected the name of a decoder"):
        build("nothing", tmp_path)


def test_the_command_prints_and_writes_what_it_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "fuzz.json"
    assert main(["fuzz", "reply", "record", "--cases", "500", "--json", str(path)]) == ExitCode.OK
    assert "passed" in capsys.readouterr().out
    document = json.loads(path.read_text())
    assert document["cases"] == 1000
    assert [row["decoder"] for row in document["decoders"]] == ["reply", "record"]
    assert main(["fuzz", "--json", "reply", "--case", "7"]) == ExitCode.OK
    (row,) = json.loads(capsys.readouterr().out)["decoders"]
    assert bytes.fromhex(row["data"]) == mutant(build("reply", tmp_path), 1, 7)


def test_the_command_fails_with_the_bytes_and_how_to_replay_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("psmr.core.reply.parse_reply", lambda data: data[40])
    assert main(["fuzz", "reply", "--cases", "500"]) == ExitCode.FAILED
    printed = capsys.readouterr().out
    assert "IndexError" in printed
    assert "replay:    psmr fuzz reply --seed 1 --case " in printed


def test_a_case_belongs_to_one_decoder(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fuzz", "--case", "1"]) == ExitCode.CALLER
    assert "expected one decoder" in capsys.readouterr().err


PAUSED = """
import signal, sys
from pathlib import Path
from psmr.cli import fuzz, main
fuzz._MEMORY = Path(sys.argv[1])
fuzz._fuzzed = lambda name, folder, seed, cases: (print(folder, flush=True), signal.pause())
main(["fuzz", "reply"])
"""


def test_a_killed_run_leaves_no_folder(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", PAUSED, str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        folder = Path(process.stdout.readline().strip())
        janitors = [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
        ends = [os.pidfd_open(pid) for pid in janitors]
        assert folder in tmp_path.iterdir()
        process.kill()
    for end in ends:
        assert select.select([end], [], [], PATIENCE_S)[0]
        os.close(end)
    assert list(tmp_path.iterdir()) == []
