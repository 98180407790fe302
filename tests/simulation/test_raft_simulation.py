"""Production Raft nodes under seeded faults: every invariant holds, and the invariants notice planted faults."""

from __future__ import annotations

import json

import pytest
from raft_faults import (
    AcknowledgesBeforeSync,
    BelievesOldSyncs,
    CommitsOlderTermsByCounting,
    CommitsUnverifiedEntries,
    ForgetsItsVoteAtACrash,
    LeaderCountsItselfBeforeSync,
    LeaderTakesOverwrites,
    NeverGoesBack,
    ReadsAtARoundUnderWay,
    ReadsBeforeItKnowsWhatIsCommitted,
    ReadsWithoutConfirming,
    TakesAnyPreviousEntry,
    TakesWrittenForDurable,
    VotesForAShorterLog,
    VotesTwiceInATerm,
)

from psmr.core.raft import Raft
from psmr.simulation import Simulation, SimulationResult, simulate
from psmr.simulation.__main__ import main
from psmr.simulation.invariants import InvariantViolated

SEEDS_AT_A_TIME = 15
SEEDS_TO_FIND_A_FAULT = 150


def run_seeds(start: int, replicas: int) -> list[SimulationResult]:
    return [simulate(seed, replicas) for seed in range(start, start + SEEDS_AT_A_TIME)]


@pytest.mark.parametrize("start", range(0, 150, SEEDS_AT_A_TIME))
def test_three_replicas_keep_every_invariant(start: int) -> None:
    results = run_seeds(start, replicas=3)
    assert all(result.committed > 0 and result.elections > 0 for result in results)
    assert all(result.reads > 0 for result in results)
    assert sum(result.crashes for result in results) > SEEDS_AT_A_TIME, "the adversary slept"
    assert sum(result.snapshots for result in results) > 0, "nobody fell behind a compacted log"
    assert sum(result.memberships for result in results) > SEEDS_AT_A_TIME, "nobody joined or left"


@pytest.mark.parametrize("start", range(1000, 1060, SEEDS_AT_A_TIME))
def test_five_replicas_keep_every_invariant(start: int) -> None:
    results = run_seeds(start, replicas=5)
    assert sum(result.committed for result in results) > 10 * SEEDS_AT_A_TIME


@pytest.mark.parametrize("replicas", [1, 2, 4])
def test_groups_of_other_sizes_keep_every_invariant(replicas: int) -> None:
    for seed in range(5):
        assert simulate(seed, replicas).committed > 0


def test_a_seed_decides_everything() -> None:
    lines: list[list[str]] = [[], []]
    results = [Simulation(11, 3, write=each.append).run() for each in lines]
    assert results[0] == results[1] == simulate(11, 3)
    assert lines[0] == lines[1]
    assert len({simulate(seed).digest for seed in range(5)}) == 5


@pytest.mark.parametrize(
    ("fault", "replicas", "invariant"),
    [
        (AcknowledgesBeforeSync, 3, "committed is never lost"),
        (TakesWrittenForDurable, 3, "node validity"),
        (LeaderCountsItselfBeforeSync, 3, "node validity"),
        (CommitsOlderTermsByCounting, 3, "leader completeness"),
        (VotesTwiceInATerm, 5, "election safety"),
        (ForgetsItsVoteAtACrash, 3, "node validity"),
        (VotesForAShorterLog, 3, "leader completeness"),
        (CommitsUnverifiedEntries, 3, "state machine safety"),
        (LeaderTakesOverwrites, 3, "leader append-only"),
        (TakesAnyPreviousEntry, 3, "log matching"),
        (BelievesOldSyncs, 5, "node validity"),
        (NeverGoesBack, 3, "liveness"),
        (ReadsWithoutConfirming, 3, "confirmed reads are fresh"),
        (ReadsBeforeItKnowsWhatIsCommitted, 3, "confirmed reads are fresh"),
        (ReadsAtARoundUnderWay, 3, "confirmed reads are fresh"),
    ],
)
def test_a_planted_fault_is_found_and_says_how_to_replay_it(fault: type[Raft], replicas: int, invariant: str) -> None:
    seed, violation = first_violation(fault, replicas)
    assert violation.invariant == invariant
    assert violation.__notes__ == [
        f"seed {seed}; replay: python -m psmr.simulation --seed {seed} --replicas {replicas}"
    ]


def first_violation(fault: type[Raft], replicas: int) -> tuple[int, InvariantViolated]:
    for seed in range(SEEDS_TO_FIND_A_FAULT):
        try:
            simulate(seed, replicas, fault)
        except InvariantViolated as violation:
            return seed, violation
    pytest.fail(f"{fault.__name__} went unnoticed in {SEEDS_TO_FIND_A_FAULT} seeds")


def test_the_command_runs_seeds_and_replays_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seeds", "2", "--start", "5", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["seed"] for line in lines] == [5, 6]
    assert main(["--seed", "5", "--trace"]) == 0
    output = capsys.readouterr().out
    assert lines[0]["digest"] in output
    assert "RoleChanged(role=<Role.LEADER" in output
    assert "every invariant kept, runs: 1;" in output


def test_the_command_fails_with_the_replay_when_an_invariant_breaks(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("psmr.core.raft.node.Raft._may_commit", CommitsOlderTermsByCounting._may_commit)
    monkeypatch.setattr("psmr.core.raft.node.Raft._is_up_to_date", VotesForAShorterLog._is_up_to_date)
    assert main(["--seeds", "50", "--replicas", "3"]) == 1
    assert "replay: python -m psmr.simulation --seed" in capsys.readouterr().err
