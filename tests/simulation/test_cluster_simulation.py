"""Production replicas and clients under seeded faults: every invariant holds, and planted faults are caught by name."""

from __future__ import annotations

import json

import pytest

from psmr.cli.program import main
from psmr.errors import ConfigurationError
from psmr.simulation.cluster import ClusterResult, ClusterSimulation, simulate_cluster
from psmr.simulation.faults import FAULTS, PlantedFault, catch
from psmr.simulation.invariants import InvariantViolated

QUICK = [
    "ack before fsync",
    "vote not saved",
    "truncation below commit",
    "commit of an older term's entry by counting",
    "forgotten duplicate check",
    "reply cached under the wrong sequence",
    "retried under a new sequence",
    "unknown told as refused",
    "read does not wait for its index",
    "torn write accepted",
    "entries below the base not skipped",
    "leader sends what its log has forgotten",
    "snapshot not offered",
    "membership changed before the change before is committed",
    "membership changed by a leader that has committed nothing",
    "two voters changed at once",
    "learner counts for the majority",
    "removed leader counts itself",
    "membership not rolled back with its entry",
    "removed replica never stands",
    "members forgotten at restart",
    "removed member stays in the roster",
    "event lost at a snapshot boundary",
    "event position not restored from the snapshot",
    "event twice after a restart",
    "damaged snapshot left in its place",
    "batch of another version executed",
    "snapshot with the founders' roster",
    "the minority goes on",
    "stops before enough is known",
    "first entry not looked for",
    "digest told of an entry not executed to its end",
]


WRONG = (224, 355, 528, 575, 683, 1757)
"""Schedules in which replicas do wrong, and in which one that was told nothing, or had begun anew, once did not find out."""


def test_schedules_keep_every_invariant_and_are_eventful() -> None:
    results = [simulate_cluster(seed) for seed in range(30)]
    assert all(result.answered or result.erred == result.replicas for result in results)
    for count in ("elections", "crashes", "restarts"):
        assert sum(getattr(result, count) for result in results) > 2 * len(results), f"too few {count}"
    assert sum(result.torn_writes for result in results) > 0
    assert sum(result.events for result in results) > 20 * len(results), "too few events"
    assert sum(result.followed for result in results) > 10 * len(results), "too few events are followed"
    assert sum(result.changes for result in results) > len(results) / 2, "too few changes of members"


def test_replicas_that_do_wrong_stop_and_say_where() -> None:
    results = [simulate_cluster(seed) for seed in WRONG]
    assert all(result.erred for result in results)
    assert sum(result.parted for result in results) >= len(results)
    assert sum(result.rows for result in results) > len(results) / 2, "too few know at which command they parted"
    assert any(result.erred == result.parted == 3 for result in results), "all different, and all stop"


def test_five_replicas_and_one_keep_every_invariant() -> None:
    assert all(simulate_cluster(seed, 5).answered > 0 for seed in range(5))
    assert all(simulate_cluster(seed, 1).answered > 0 for seed in range(3))


def test_a_seed_decides_every_step() -> None:
    lines: list[list[str]] = [[], []]
    results = [ClusterSimulation(11, write=each.append).run() for each in lines]
    assert results[0] == results[1] == simulate_cluster(11)
    assert lines[0] == lines[1]
    assert len({simulate_cluster(seed).digest for seed in range(4)}) == 4


def test_faults_have_names_of_their_own_and_fit_the_source() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 25
    for fault in FAULTS:
        compile(fault.source(), fault.module, "exec")


@pytest.mark.parametrize("name", QUICK)
def test_a_planted_fault_is_caught(name: str) -> None:
    (fault,) = (one for one in FAULTS if one.name == name)
    assert catch(fault).seed is not None


def test_an_undecided_history_is_a_failure_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("psmr.simulation.cluster.simulation._CHECK_TICKS", 0)
    with pytest.raises(InvariantViolated, match="decided"):
        simulate_cluster(0)


def test_what_changes_nothing_is_not_caught_and_a_stale_fault_is_an_error() -> None:
    same = PlantedFault(
        "nothing", "psmr.core.sessions", "CAPACITY: Final = 65_536", "CAPACITY: Final = 65_536", seeds=3
    )
    assert catch(same).seed is None
    with pytest.raises(ConfigurationError, match="adapt the fault"):
        catch(PlantedFault("stale", "psmr.core.sessions", "a text that is not there", ""))


def test_the_command_gives_figures_and_equal_traces(capsys: pytest.CaptureFixture[str]) -> None:
    documents = []
    for _ in range(2):
        assert main(["sim", "--seeds", "3", "--start", "7", "--json"]) == 0
        documents.append(json.loads(capsys.readouterr().out))
    assert documents[0]["schedules"] == 3
    assert documents[0]["last"] == documents[1]["last"]
    assert main(["sim", "--seeds", "1", "--start", "9", "--trace"]) == 0
    output = capsys.readouterr().out
    assert documents[0]["last"]["digest"] in output
    assert "is leader in term" in output


def test_the_command_fails_with_the_replay(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("psmr.core.raft.node.Raft._is_up_to_date", lambda *_: True)
    assert main(["sim", "--seeds", "60"]) == 1
    error = capsys.readouterr().err
    assert "leader completeness" in error or "state machine safety" in error or "committed is never lost" in error
    assert "replay: psmr sim --seeds 1 --start" in error


def test_the_command_says_how_to_go_on(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(ClusterSimulation):
        def run(self) -> ClusterResult:
            if self._seed == 9:
                raise KeyboardInterrupt
            return super().run()

    monkeypatch.setattr("psmr.cli.sim_run.ClusterSimulation", Interrupted)
    assert main(["sim", "--seeds", "60", "--start", "7", "--json"]) == 130
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    assert (document["schedules"], document["last"]["seed"]) == (2, 8)
    assert document["go_on"] == "psmr sim --seeds 58 --start 9 --replicas 3"
    assert f"go on: {document['go_on']}" in captured.err


def test_the_command_names_faults(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sim", "--fault", "ack before fsync", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["faults"]
    assert row["fault"] == "ack before fsync"
    assert row["seed"] is not None
    assert main(["sim", "--fault", "ack before fsynk"]) == 2
    assert "did you mean 'ack before fsync'?" in capsys.readouterr().err
