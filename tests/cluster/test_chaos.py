"""Faults in real processes: the run passes, and leaves nothing behind (which `conftest.py` looks after)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from cluster_support import PATIENCE_S, START_PATIENCE_S

pytestmark = [pytest.mark.cluster, pytest.mark.slow]


def chaos(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "psmr", "chaos", "kv", "--rate", "500", *arguments]


def test_a_leader_and_clients_fail_and_nothing_is_lost(tmp_path: Path) -> None:
    page = tmp_path / "chaos.html"
    ran = subprocess.run(
        chaos("--seconds", "6.5", "--seed", "8", "--faults", "kill,client,clock", "--html", str(page), "--json"),
        capture_output=True,
        text=True,
        timeout=START_PATIENCE_S,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    result = json.loads(ran.stdout)
    assert result["passed"]
    assert (result["lost"], result["duplicated"]) == (0, 0)
    assert result["digests_equal"]
    assert result["linearizable"] is True
    assert set(result["faults"]) == {"kill", "client", "clock"}
    assert page.read_text().count("<rect") >= 2 * len(result["happenings"])


@pytest.mark.long
def test_a_replica_is_replaced_while_snapshots_are_taken() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "psmr", "chaos", "kv", "--seconds", "3", "--faults", "replace", "--json"],
        capture_output=True,
        text=True,
        timeout=START_PATIENCE_S,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    result = json.loads(ran.stdout)
    assert result["passed"]
    assert result["faults"] == {"replace": 1}
    assert "took its place" in result["happenings"][0]["note"]
    assert result["snapshots_taken"] >= 1


def test_ctrl_c_leaves_no_folder_behind(tmp_path: Path) -> None:
    run = subprocess.Popen(
        chaos("--seconds", "60"),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        process_group=0,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert run.stderr is not None
    with run.stderr:
        assert any(b"leads" in line for line in run.stderr), "expected a cluster to come up"
        assert any(tmp_path.iterdir()), "expected the cluster's folder, found none"
        os.kill(run.pid, signal.SIGINT)
        run.stderr.read()
    assert run.wait(timeout=PATIENCE_S) == 130
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif("PSMR_CHAOS" not in os.environ, reason="a minute: PSMR_CHAOS=1 runs it, and psmr chaos more of it")
@pytest.mark.parametrize(
    "kind", ["worker", "disk", "corrupt", "slow", "away", "replace", "remove-leader", "roll", "corrupt-snapshot"]
)
def test_each_rarer_fault_is_survived(kind: str) -> None:
    ran = subprocess.run(chaos("--seconds", "5", "--faults", kind, "--json"), capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert json.loads(ran.stdout)["faults"].keys() == {kind}
