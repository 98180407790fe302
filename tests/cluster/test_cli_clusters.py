"""The command line runs clusters: `up`, `serve` over TCP, `status`; and says in one line why it cannot."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cluster_support import PATIENCE_S, free_places, wait_until

from psmr.cli import main
from psmr.cli.exits import ExitCode
from psmr.config import local_cluster

pytestmark = pytest.mark.cluster
ROOT = Path(__file__).parents[2]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A cluster of three replicas on this machine."""
    config = local_cluster(
        "cli", "kv:integer", tmp_path / "data", token=os.urandom(4).hex(), durability="memory", execution="interpreted"
    )
    path = tmp_path / "cluster.toml"
    path.write_text(config.to_toml())
    return path


@contextlib.contextmanager
def psmr(*words: object) -> Iterator[subprocess.Popen[str]]:
    """The command line as a process; killed at the end, if it is still there, with what it started."""
    command = [sys.executable, "-m", "psmr", *map(str, words)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    with process:
        try:
            yield process
        finally:
            process.kill()


def events(process: subprocess.Popen[str], patience_s: float = PATIENCE_S) -> Iterator[dict[str, Any]]:
    """The JSON objects that it prints, until it ends."""
    assert process.stdout is not None
    with contextlib.ExitStack() as stack:
        handle = os.pidfd_open(process.pid)
        stack.callback(os.close, handle)
        while line := process.stdout.readline():
            yield json.loads(line)
        assert select.select([handle], [], [], patience_s)[0]


def led(event: dict[str, Any]) -> bool:
    """Whether an event is the status of three replicas of which one leads."""
    replicas = event.get("replicas", [])
    return sorted(str(replica.get("role")) for replica in replicas) == ["follower", "follower", "leader"]


def status_until(capsys: pytest.CaptureFixture[str], wanted: Callable[[str], bool], *words: str) -> str:
    """What `psmr status` prints once all is well with those asked, and the text is what is wanted."""
    printed: list[str] = []

    def found() -> bool:
        code = main(["status", *words])
        printed[:] = [capsys.readouterr().out]
        return code == ExitCode.OK and wanted(printed[0])

    wait_until(found, lambda: f"another status than {printed[0]}")
    return printed[0]


def test_up_until_interrupted(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with psmr("up", file, "--json") as process:
        seen = events(process)
        started = [next(seen) for _ in range(3)]
        assert [event["event"] for event in started] == ["started"] * 3
        status = next(event for event in seen if led(event))
        assert all("memory_bytes" in replica for replica in status["replicas"])

        status_until(capsys, lambda text: text.count("follower") == 2, str(file), "--digest")
        printed = status_until(capsys, bool, status["replicas"][0]["address"], "--json")
        (answered,) = json.loads(printed)["replicas"]
        assert (answered["id"], answered["pid"]) == (1, started[0]["pid"])

        process.send_signal(signal.SIGINT)
        *_, stopping, stopped = seen
        assert (stopping["event"], stopped) == ("stopping", {"event": "stopped", "exit_code": 0})
    assert process.returncode == ExitCode.OK
    assert sorted(path.name for path in (file.parent / "data").glob("*.log")) == [
        f"replica-{number}.log" for number in (1, 2, 3)
    ]


def test_up_says_who_died_and_ends_when_stopped(file: Path) -> None:
    with psmr("up", file, "--json") as process:
        seen = events(process)
        started = [next(seen) for _ in range(3)]
        next(event for event in seen if led(event))
        os.kill(started[1]["pid"], signal.SIGKILL)
        ended = next(event for event in seen if event["event"] == "ended")
        assert (ended["replica"], ended["exit_code"]) == (2, -signal.SIGKILL)
        assert ended["message"] == "replica 2 was ended by SIGKILL"
        status = next(event for event in seen if event["event"] == "status")
        assert status["replicas"][1]["problem"] == "replica 2 was ended by SIGKILL"
        process.send_signal(signal.SIGTERM)
        *_, stopped = seen
        assert stopped == {"event": "stopped", "exit_code": ExitCode.FAILED}
    assert process.returncode == ExitCode.FAILED


def test_up_ends_when_no_replica_can_run(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        file = tmp_path / "cluster.toml"
        file.write_text(
            f"""
            [cluster]
            name = "taken"
            service = "kv:integer"
            execution = "interpreted"
            [[replica]]
            id = 1
            peers = "tcp://127.0.0.1:{port}"
            clients = "ipc://@psmr-taken-{os.getpid()}"
            """
        )
        with psmr("up", file) as process:
            output, lines = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == ExitCode.CALLER
    assert output == ""
    (line,) = [line for line in lines.splitlines() if "ended" in line]
    assert f"replica 1 ended with exit code 2: peers address tcp://127.0.0.1:{port}: expected one" in line


def test_three_processes_over_tcp_make_a_cluster(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    places = free_places(6)
    file = tmp_path / "cluster.toml"
    replicas = "".join(
        f'[[replica]]\nid = {n}\npeers = "tcp://{places[n - 1]}"\nclients = "tcp://{places[n + 2]}"\n'
        for n in (1, 2, 3)
    )
    file.write_text(f'[cluster]\nname = "tcp"\nservice = "kv:integer"\nexecution = "interpreted"\n{replicas}')
    assert main(["status", str(file), "--json"]) == ExitCode.UNAVAILABLE
    assert json.loads(capsys.readouterr().out)["error"]["kind"] == "unavailable"
    with contextlib.ExitStack() as stack:
        processes = [stack.enter_context(psmr("serve", file, "--id", number)) for number in (1, 2, 3)]
        for number, process in enumerate(processes, start=1):
            assert process.stderr is not None
            line = process.stderr.readline()
            assert line == f"replica {number} serves kv:integer at tcp://{places[number + 2]}\n"
        status_until(capsys, lambda text: "unreachable" not in text, str(file))
        with psmr("serve", file, "--id", 1) as second:
            output, complaint = second.communicate(timeout=PATIENCE_S)
        assert (second.returncode, output) == (ExitCode.CALLER, "")
        assert "expected a data folder no other process uses" in complaint
        assert complaint.count("\n") == 1
        for process in processes:
            process.send_signal(signal.SIGTERM)
        assert [process.wait(PATIENCE_S) for process in processes] == [0, 0, 0]
