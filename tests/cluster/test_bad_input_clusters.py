"""Bad luck and bad habits with real replicas: each is answered by one line and an exit code, and nothing is lost."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from cluster_support import (
    PATIENCE_S,
    PATIENT,
    START_PATIENCE_S,
    ending,
    is_stopped,
    processes_with,
    replicas,
    settle,
    uneven_cluster,
    wait_until,
)
from small_services import Later, Small

from cdep.groups import group_of
from psmr.cli import main
from psmr.cli.exits import ExitCode
from psmr.client.connecting import connect_blocking
from psmr.cluster import LocalCluster
from psmr.config import ClusterConfig
from psmr.errors import CommandRaised, ConfigurationError, InvalidCall, ServiceMismatch, Violation
from psmr.services import service_text

pytestmark = pytest.mark.cluster
ROOT = Path(__file__).parents[2]
FEW = ("--replicas", "1", "--clients", "1", "--seconds", "1")
ASCII = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def environment(**changes: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{Path(__file__).parent}", **changes}


def psmr(*words: object, cwd: Path = ROOT, **changes: str) -> subprocess.CompletedProcess[str]:
    """A command line, run to its end."""
    return subprocess.run(
        [sys.executable, "-m", "psmr", *map(str, words)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment(**changes),
        timeout=START_PATIENCE_S,
        check=False,
    )


def one_line(result: subprocess.CompletedProcess[str], code: ExitCode) -> str:
    assert result.returncode == code, result.stderr
    assert result.stdout == ""
    assert result.stderr.startswith("psmr: ")
    assert result.stderr.count("\n") == 1
    return result.stderr


# --- the service ------------------------------------------------------------------------------------------------------


def test_a_handler_that_cannot_be_compiled(tmp_path: Path) -> None:
    (tmp_path / "psmr_uncompilable.py").write_text(
        "from psmr import StateMachine, dependent, u64\n"
        "class Listing(StateMachine):\n"
        "    @dependent\n"
        "    def count(self) -> u64:\n"
        "        return u64(len({1: 'one', 'two': 2}))\n"
    )
    (tmp_path / "cluster.toml").write_text(
        '[cluster]\nname = "bad"\nservice = "psmr_uncompilable"\n[[replica]]\nid = 1\n'
        f'peers = "ipc://@psmr-bad-{os.getpid()}-p"\nclients = "ipc://@psmr-bad-{os.getpid()}-c"\n'
    )
    line = one_line(psmr("serve", "cluster.toml", "--id", 1, cwd=tmp_path), ExitCode.CALLER)
    assert f"Listing.count ({tmp_path / 'psmr_uncompilable.py'}:5): expected a handler that Numba can compile" in line
    assert 'set execution = "interpreted"' in line


def test_why_a_replica_of_a_demonstration_did_not_start_reaches_the_user() -> None:
    result = psmr("demo", "kv:integer", *FEW, PSMR_CACHE="/proc/none")
    assert (result.returncode, result.stdout) == (ExitCode.CALLER, "")
    *_, line = result.stderr.splitlines()
    assert line.startswith("psmr: expected replica 1 to run, found: replica 1 ended with exit code 2: /proc/none/")
    assert "set PSMR_CACHE to a folder that you can write to" in line


# --- clients ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterConfig]:
    """A compiled replica with one worker, one with two, and an interpreted one."""
    config = uneven_cluster(service_text(Small), tmp_path_factory.mktemp("small"), (1, 2, 1))
    with replicas(config, interpreted=(3,)):
        yield config


def addresses(config: ClusterConfig) -> list[str]:
    return [replica.clients for replica in config.replicas]


def test_a_client_of_another_version_is_turned_away(small: ClusterConfig) -> None:
    with pytest.raises(ServiceMismatch) as caught:
        connect_blocking(Later.Small, addresses(small), connect_timeout_s=PATIENCE_S)
    assert "expected a client of Small (specification 0x" in str(caught.value)
    assert "use the service's source" in str(caught.value)


def test_a_full_map_says_which_and_keeps_what_it_has(small: ClusterConfig) -> None:
    seats = [seat for seat in range(2000) if group_of(seat) == 7]
    full = "CapacityExceeded: map 'seats': expected room for another key, found the key's group full with 9 keys"
    with connect_blocking(Small, addresses(small), **PATIENT) as client:
        for seat in seats[:9]:
            assert client.take(seat, 1)
        for seat in seats[9:12]:
            with pytest.raises(CommandRaised) as caught:
                client.take(seat, 1)
            assert full in str(caught.value)
            assert str(caught.value).endswith("(capacity=64 over 64 groups); declare a larger capacity")
        assert not client.take(seats[0], 2)
        assert client.take(next(seat for seat in range(2000) if group_of(seat) == 8), 1)
        assert client.taken() == 10
        raised = client.say.many([b"%d" % number for number in range(2000)]).raised
        assert len(raised) == 2000 - 9 * 64
        assert all("map 'words': expected room for another key" in error for error in raised.values())
    settle(small)


def test_a_call_that_is_too_large_is_not_sent(small: ClusterConfig) -> None:
    with connect_blocking(Small, addresses(small), **PATIENT) as client:
        with pytest.raises(InvalidCall, match="expected at most 8 bytes, found 9 bytes"):
            client.say(b"too long!")
        many = np.zeros(2_000_000, np.uint64)
        with pytest.raises(InvalidCall, match=r"expected at most 1048576 rows .* make several calls"):
            client.take.many(many, many)
        assert client.taken() >= 0


# --- disks ------------------------------------------------------------------------------------------------------------


def lone(folder: Path) -> LocalCluster:
    """One replica that keeps its log in `folder`."""
    return LocalCluster(Small, replicas=1, workers=1, execution="interpreted", folder=folder)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a cluster of one replica that has ended, with thirty commands in its log."""
    folder = tmp_path_factory.mktemp("written")
    with lone(folder) as cluster:
        cluster.wait_ready(PATIENCE_S)
        with connect_blocking(Small, cluster.addresses, **PATIENT) as client:
            for seat in range(30):
                client.take(seat, seat)
    return folder


@contextlib.contextmanager
def changed(path: Path, content: bytes) -> Iterator[None]:
    """A file with other content, for the time of the block."""
    before = path.read_bytes()
    path.write_bytes(content)
    try:
        yield
        assert path.read_bytes() == content, "what is refused stays as it is"
    finally:
        path.write_bytes(before)


def segment(folder: Path) -> Path:
    (path,) = (folder / "replica-1").glob("log-[0-9]*.seg")
    return path


def test_a_flipped_bit_stops_the_replica(written: Path) -> None:
    path = segment(written)
    damaged = bytearray(path.read_bytes())
    damaged[900] ^= 4
    with changed(path, bytes(damaged)):
        line = one_line(psmr("serve", written / "cluster.toml", "--id", 1), ExitCode.VIOLATION)
        assert re.match(rf"psmr: {path}: offset \d+, index \d+: expected .+, found ", line)
        assert "so this is damage" in line
        result = psmr("up", written / "cluster.toml")
        assert result.returncode == ExitCode.VIOLATION
        assert f"replica 1 ended with exit code 4: {path}: offset " in result.stderr
        with lone(written) as cluster, pytest.raises(Violation, match="so this is damage"):
            cluster.wait_ready(PATIENCE_S)


def test_a_torn_tail_is_cut_off_with_a_word(written: Path, tmp_path: Path) -> None:
    """A power cut: the last write is half there, the mark of what was committed is older."""
    folder = tmp_path / "replica-1"
    folder.mkdir()
    for path in (written / "replica-1").iterdir():
        if path.name != "commit-mark":
            (folder / path.name).write_bytes(path.read_bytes())
    path = segment(tmp_path)
    path.write_bytes(path.read_bytes().rstrip(b"\0")[:-3])
    with lone(tmp_path) as cluster:
        cluster.wait_ready(PATIENCE_S)
        with connect_blocking(Small, cluster.addresses, **PATIENT) as client:
            assert client.taken() == 29
    log = (tmp_path / "replica-1.log").read_text()
    assert f"{path}: offset " in log
    assert "a write that a crash cut short; none of it was acknowledged" in log


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ('"cluster":"local"', '"cluster":"other"', "expected cluster 'local', found 'other': give this replica"),
        (
            '"format_version":1',
            '"format_version":2',
            "expected data folder format 1 or older, found 2: run the version",
        ),
    ],
)
def test_a_folder_of_something_else_is_refused(written: Path, old: str, new: str, text: str) -> None:
    path = written / "replica-1" / "identity.json"
    content = path.read_text().replace(": ", ":")
    assert old in content
    with changed(path, content.replace(old, new).encode()):
        line = one_line(psmr("serve", written / "cluster.toml", "--id", 1), ExitCode.CALLER)
    assert f"{path}: {text}" in line


def test_a_changed_service_is_refused_by_its_fingerprint(tmp_path: Path) -> None:
    source, file = tmp_path / "psmr_changing.py", tmp_path / "cluster.toml"
    before = (
        "from psmr import StateMachine, dependent, u64\n"
        "class Changing(StateMachine):\n"
        "    @dependent\n"
        "    def one(self) -> u64: return u64(1)\n"
        "    @dependent\n"
        "    def two(self) -> u64: return u64(2)\n"
    )
    source.write_text(before)
    file.write_text(
        '[cluster]\nname = "change"\nservice = "psmr_changing"\nexecution = "interpreted"\n[[replica]]\nid = 1\n'
        f'peers = "ipc://@psmr-change-{os.getpid()}-p"\nclients = "ipc://@psmr-change-{os.getpid()}-c"\n'
    )
    words = [sys.executable, "-m", "psmr", "serve", str(file), "--id", "1"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environment()) as process:
        assert process.stderr is not None
        assert "serves psmr_changing" in process.stderr.readline()
        process.terminate()
    assert process.returncode == ExitCode.OK
    source.write_text(before.replace("def one(self)", "def one(self, more: u64)").replace("two", "three"))
    line = one_line(psmr("serve", file, "--id", 1, cwd=tmp_path), ExitCode.CALLER)
    assert f"{tmp_path / 'data' / 'replica-1'}: expected the source of service 0x" in line
    assert "run the source that wrote the log (another takes over where `psmr upgrade` puts it" in line


def test_a_full_disk_stops_one_replica_until_there_is_room() -> None:
    with LocalCluster(Small, workers=1, execution="interpreted") as cluster:
        leader = cluster.wait_ready(PATIENCE_S)
        full = next(number for number in cluster.ids if number != leader)
        process = cluster.process(full)
        assert process.pid is not None
        keys = np.arange(200, dtype=np.uint64) % 50
        with connect_blocking(Small, cluster.addresses, **PATIENT) as client:
            client.take.many(keys, keys).check()
            _, hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
            with ending({process.pid: "a replica whose disk is full"}):
                resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (4096, hard))
                client.take.many(keys, keys).check()
            assert process.wait(PATIENCE_S) == ExitCode.VIOLATION
            for part in (
                f"replica-{full}/log-",
                "offset",
                "EFBIG",
                "bytes free",
                "Make room",
                "start this replica again",
            ):
                assert part in process.obituary()
            with pytest.raises(Violation, match="EFBIG"):
                cluster.check()
            client.take.many(keys, keys).check()
            # A new process has the room.
            cluster.start(full)
            cluster.wait_ready(PATIENCE_S)
            client.take.many(keys, keys).check()
        (first, *_) = settle(cluster.config)
        assert first.get("commands") == 4 * len(keys)


# --- people -----------------------------------------------------------------------------------------------------------


VERIFYING_FOR_EVER = """
import importlib, signal, sys
if "--multiprocessing-fork" in sys.orig_argv:
    importlib.import_module("psmr.demo.verify").verify = lambda evidence: signal.pause()
"""
"""What Python executes at its start: the process that verifies comes to no end, so that no demonstration is over too soon."""


def interrupted(words: list[str], moment: str, folder: Path) -> None:
    """Ctrl-C, when the command has said `moment`: it ends as it should, with all its processes and its folders."""
    held, temporary = folder / "held", folder / "temporary"
    held.mkdir()
    temporary.mkdir()
    (held / "sitecustomize.py").write_text(VERIFYING_FOR_EVER)
    started = environment(TMPDIR=str(temporary))
    started["PYTHONPATH"] = f"{held}{os.pathsep}{started['PYTHONPATH']}"
    process = subprocess.Popen(
        [sys.executable, "-m", "psmr", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=started,
        start_new_session=True,
    )
    with process:
        assert process.stderr is not None
        assert process.stdout is not None
        try:
            lines = [process.stderr.readline()]
            while moment not in lines[-1]:
                assert lines[-1], f"expected to hear of {moment!r}, found the end of {lines}"
                lines.append(process.stderr.readline())
            os.killpg(process.pid, signal.SIGINT)
            lines += process.stderr
            output = process.stdout.read()
        finally:
            process.kill()
    assert process.returncode == ExitCode.INTERRUPTED
    assert output == ""
    said = "".join(lines)
    assert "Traceback" not in said, said
    wait_until(lambda: not processes_with(f"TMPDIR={temporary}"), "all that it started to end")
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("moment", ["starting the cluster", "up; replica", "killed (SIGKILL)", "verifying"])
def test_ctrl_c_ends_a_demonstration_without_a_trace(moment: str, tmp_path: Path) -> None:
    interrupted(["demo", "kv:integer", *FEW], moment, tmp_path)


def test_ctrl_c_ends_a_benchmark_without_a_trace(tmp_path: Path) -> None:
    interrupted(["bench", "replicated", "--quick"], "starting 3 replicas", tmp_path)


@pytest.mark.slow
def test_demonstrations_side_by_side_optimised_in_ascii_from_elsewhere(tmp_path: Path) -> None:
    # One of the two is optimised: Python compiles for it, at first, all that it imports.
    words = ["-m", "psmr", "demo", "kv:integer", *FEW]
    with contextlib.ExitStack() as stack:
        processes = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, *options, *words],
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    encoding="ascii",
                    cwd=tmp_path,
                    env=environment(**ASCII),
                )
            )
            for options in (["-O"], [])
        ]
        outputs = [process.communicate(timeout=START_PATIENCE_S) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert all("passed" in output for output, _ in outputs)


def test_a_silent_replica_is_said_to_run_or_not(capsys: pytest.CaptureFixture[str]) -> None:
    with LocalCluster(Small, replicas=1, workers=1, durability="memory", execution="interpreted") as cluster:
        cluster.wait_ready(PATIENCE_S)
        cluster.pause(1)
        wait_until(lambda: is_stopped(cluster.process(1).pid), "the replica to halt")
        assert main(["status", str(cluster.file), "--json"]) == ExitCode.UNAVAILABLE
        assert f"process {cluster.process(1).pid} is starting, or hangs" in capsys.readouterr().out
        cluster.kill(1)
        assert [status.problem for status in cluster.statuses()] == ["not running"]
        assert main(["status", str(cluster.file), "--json"]) == ExitCode.UNAVAILABLE
        assert '"problem": "not running"' in capsys.readouterr().out


def test_a_replica_that_ends_before_anyone_waits_for_it_is_missed() -> None:
    with LocalCluster("nowhere", replicas=1) as cluster:
        cluster.process(1).wait(PATIENCE_S)
        with pytest.raises(ConfigurationError, match="replica 1 ended with exit code 2: nowhere: expected"):
            cluster.wait_ready(PATIENCE_S)
