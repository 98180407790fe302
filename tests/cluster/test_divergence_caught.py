"""Replicas that do different things with a command find out, at the exact first one: who is wrong stops, the majority serves on."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from cluster_support import PATIENT, START_PATIENCE_S, settle, wait_until
from smuggling_service import UNLUCKY, VARIABLE, Smuggling

from psmr.client.connecting import connect_blocking
from psmr.client.untyped import AnyBlockingClient
from psmr.cluster import ReplicaProcess, ask, stop_all
from psmr.config import ClusterConfig, local_cluster
from psmr.replica.aftermath import NAME
from psmr.services import service_text

pytestmark = pytest.mark.cluster
VIOLATION = 4


@contextlib.contextmanager
def started(folder: Path, smuggled: Mapping[int, int]) -> Iterator[tuple[ClusterConfig, dict[int, ReplicaProcess]]]:
    """Replicas of the smuggling service, each with a value of its own to smuggle in."""
    config = local_cluster(
        "smuggling",
        service_text(Smuggling),
        folder,
        token=os.urandom(4).hex(),
        durability="memory",
        execution="interpreted",
        lint="off",
    )
    file = folder / "cluster.toml"
    file.write_text(config.to_toml())
    processes = {
        number: ReplicaProcess(file, number, folder / f"replica-{number}.log", variables={VARIABLE: str(value)})
        for number, value in smuggled.items()
    }
    with contextlib.ExitStack() as stack:
        stack.callback(lambda: stop_all(list(processes.values()), 5.0))
        for process in processes.values():
            process.start()
        addresses = {replica.id: replica.clients for replica in config.replicas}
        wait_until(lambda: all(each.reachable for each in ask(addresses)), "replicas to answer", START_PATIENCE_S)
        settle(config)
        yield config, processes


def report_of(config: ClusterConfig, number: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((config.folder(number) / NAME).read_text())
    return found


def connect(config: ClusterConfig, number: int) -> contextlib.AbstractContextManager[AnyBlockingClient]:
    return connect_blocking(Smuggling, config.replica(number).clients, prefer_leader=False, **PATIENT)


def test_the_minority_stops_and_says_which_command_and_cell(tmp_path: Path) -> None:
    with started(tmp_path, {1: 0, 2: 7, 3: 0}) as (config, processes), connect(config, 1) as bank:
        for account in range(5):
            bank.add(account, 100)
        bank.add_silently(3, UNLUCKY)
        wait_until(lambda: not processes[2].running, "replica 2 to end")
        assert processes[2].exit_code == VIOLATION
        report = report_of(config, 2)
        assert (report["command"], report["arguments"]) == ("add_silently", {"account": 3, "amount": UNLUCKY})
        assert report["is_first"]
        assert report["right"] == [1, 3]
        assert report["reply"] == {"expected": None, "found": None}
        assert report["cells"] == [{"cell": "balances[3]", "expected": 113, "found": 120}]
        assert "balances[3]: expected 113, found 120" in processes[2].last_line()
        assert bank.add(3, 1) == 114, "the majority goes on"
        (status,) = ask({1: config.replica(1).clients})
        (told,) = status.get("diverged")
        assert (told["replica"], told["index"], told["is_wrong"]) == (2, report["index"], True)
        assert told["report"]["cells"] == report["cells"]
        processes[2].start()
        wait_until(lambda: not processes[2].running, "replica 2 to refuse to start")
        assert processes[2].exit_code == VIOLATION
        assert "psmr replay --diff" in processes[2].last_line()


@pytest.mark.slow
def test_where_all_differ_all_stop(tmp_path: Path) -> None:
    with started(tmp_path, {1: 1, 2: 2, 3: 3}) as (config, processes), connect(config, 1) as bank:
        bank.add(1, 100)
        bank.add(2, UNLUCKY)
        wait_until(lambda: not any(process.running for process in processes.values()), "all replicas to end")
        assert [process.exit_code for process in processes.values()] == [VIOLATION] * 3
        for number in processes:
            report = report_of(config, number)
            assert (report["command"], report["right"]) == ("add", [])
            assert report["reply"]["found"] == UNLUCKY + number
            assert "no majority did the same" in processes[number].last_line()
