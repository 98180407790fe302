"""What is wrong with a command's input is said before anything runs, in one line on stderr."""

from __future__ import annotations

import lzma
import os
from pathlib import Path

import pytest

from psmr.cli import main
from psmr.cli.exits import ExitCode
from psmr.cluster import ReplicaStatus, explained
from psmr.errors import ConfigurationError
from psmr.services import app_names
from psmr.storage import claim


def complaint(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """The one line that a command line gets, which ends with the code for a caller's fault."""
    assert main([str(word) for word in words]) == ExitCode.CALLER
    printed = capsys.readouterr()
    assert bool(printed.out) is ("--json" in words)
    assert printed.err.startswith("psmr: ")
    assert printed.err.count("\n") == 1
    return printed.err


@pytest.mark.parametrize(
    ("app", "name", "content", "text"),
    [
        ("kv", "keys.trace", b"abc", "expected keys of 4 bytes each, found 3 bytes"),
        ("kv", "keys.trace", b"", "expected keys of 4 bytes each, found 0 bytes"),
        ("kv", "keys.trace.xz", b"abcd", "expected a file compressed by xz, found one that is not"),
        ("kv", "keys.trace.xz", lzma.compress(bytes(400))[:-20], "expected a file compressed by xz"),
        (
            "kv",
            "notes.txt",
            b"four",
            "expected a stream of 32-bit keys (.trace or .trace.xz), found another kind of file",
        ),
        ("credit", "notes.txt", b"four", "expected generated calls, found a file: the credit matrix reads none"),
        ("netfs", "operations", b"create /a\nopen /a\n", "line 2: expected one of create"),
        ("nameserver", "root.zone", b"\xff\xfe\0", "line 1: expected 'name ttl IN type data'"),
        ("book", "messages.csv", b"1,1,7,5,100,1\n1,1,7,0,100,1\n", "line 2: size: expected 1 to 1000000000, found 0"),
        ("book", "messages.csv", b"\xff\xfe\0", "line 1: expected time,type,order id,size,price,direction"),
    ],
)
def test_malformed_input(
    app: str, name: str, content: bytes, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    line = complaint(capsys, "demo", app, "--input", path)
    assert line.startswith(f"psmr: --input {path}: ")
    assert text in line
    assert "give a file of the application's kind; book and exchange: a LOBSTER message file; kv: 32-bit keys" in line


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (("keys",), "--set keys: expected NAME=VALUE"),
        (("=7",), "--set =7: expected NAME=VALUE"),
        (("keys=7", "keys=8"), "--set keys=8: expected each name once"),
        (("kings=7",), "--set: kings: expected one of mix, keys"),
        (("keys=few",), "--set: keys: expected a whole number"),
    ],
)
def test_parameters_that_a_workload_does_not_have(
    settings: tuple[str, ...], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [word for setting in settings for word in ("--set", setting)]
    assert text in complaint(capsys, "demo", "kv", *words)


def test_a_wrong_parameter_is_not_the_input_files_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "messages.csv"
    path.write_text("1,1,7,5,100,1\n")
    line = complaint(capsys, "demo", "book", "--input", path, "--set", "malformed=maybe")
    assert line.startswith("psmr: --set: malformed: expected one of fatal, skip")


@pytest.mark.parametrize("path", ["/proc/figures.json", "/proc/none/figures.json"])
def test_measurements_without_a_place_are_not_begun(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    line = complaint(capsys, "bench", "replicated", "--json", path)
    assert f"{path}: expected a place to write JSON to" in line


def test_measurements_do_not_replace_another_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes").write_text("mine")
    assert "expected JSON or no file" in complaint(capsys, "bench", "replicated", "--json", tmp_path / "notes")
    assert (tmp_path / "notes").read_text() == "mine"


def test_proxies_without_a_place(capsys: pytest.CaptureFixture[str]) -> None:
    line = complaint(capsys, "proxies", "write", "kv", "--to", "/proc/none")
    assert "expected a place to write to" in line
    assert "give another folder" in line
    assert "PSMR_CACHE" not in line


def test_only_applications_are_proposed_as_such(capsys: pytest.CaptureFixture[str]) -> None:
    assert "kv" in app_names()
    assert "parameters" not in app_names()
    assert "parameters" not in complaint(capsys, "demo", "nowhere")


def test_a_changed_service_is_told_what_to_do(tmp_path: Path) -> None:
    asked = {"cluster": "c", "cluster_id": 1, "replica_id": 1, "service": "S"}
    claim(tmp_path, **asked, fingerprint=1).close()
    with pytest.raises(ConfigurationError, match=r"changed since the log was written.* run the source that wrote it"):
        claim(tmp_path, **asked, fingerprint=2)


def test_the_silent_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    """One that runs (this process, under a replica's name), one that has ended, one whose folder is elsewhere."""
    folders = {number: tmp_path / str(number) for number in (1, 2, 3)}
    for number, holder in ((1, os.getpid()), (2, 2**22 + 1)):
        folders[number].mkdir()
        (folders[number] / "lock").write_text(f"{holder}\n")
    silent = [ReplicaStatus(number, f"ipc://@{number}", None, "no answer") for number in folders]
    with named("psmr-replica-1"):
        problems = [status.problem for status in explained(silent, folders)]
    assert problems == [f"process {os.getpid()} is starting, or hangs", "not running", "no answer"]
    assert next(status.problem for status in explained(silent, folders)) == "not running"
    answering = [ReplicaStatus(1, "ipc://@1", {"role": "leader"}), ReplicaStatus(None, "ipc://@x", None, "no answer")]
    assert explained(answering, folders) == answering


class named:  # noqa: N801 - reads as a statement
    """This process under another name."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._file = Path("/proc/self/comm")

    def __enter__(self) -> None:
        self._before = self._file.read_text().strip()
        self._file.write_text(self._name)

    def __exit__(self, *_: object) -> None:
        self._file.write_text(self._before)
