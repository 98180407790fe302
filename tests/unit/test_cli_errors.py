"""Bad input: one line on stderr, an exit code that means something, an object for machines; never a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from cdep import DeclarationError
from psmr import errors
from psmr.cli import main
from psmr.cli.exits import ExitCode, exit_code_of

ROOT = Path(__file__).parents[2]
CLUSTER = """
[cluster]
name = "demo"
service = "apps.kv:KV"
[[replica]]
id = 1
peers = "ipc://@psmr-unused-peers"
clients = "ipc://@psmr-unused-clients"
"""
TWIN = """
[[replica]]
id = 1
peers = "ipc://@psmr-unused-twin-peers"
clients = "ipc://@psmr-unused-twin-clients"
"""

CODES = [
    (errors.ConfigurationError, ExitCode.CALLER),
    (errors.InvalidCall, ExitCode.CALLER),
    (errors.ServiceMismatch, ExitCode.CALLER),
    (DeclarationError, ExitCode.CALLER),
    (errors.CommandRaised, ExitCode.FAILED),
    (errors.Refused, ExitCode.FAILED),
    (errors.OutcomeUnknown, ExitCode.FAILED),
    (errors.ClusterUnavailable, ExitCode.UNAVAILABLE),
    (errors.LogDamaged, ExitCode.VIOLATION),
    (errors.DiskFailed, ExitCode.VIOLATION),
]


@pytest.mark.parametrize(("kind", "code"), CODES)
def test_each_error_has_its_exit_code(kind: type[Exception], code: ExitCode) -> None:
    assert exit_code_of(kind("why")) is code


def test_no_error_of_the_engine_is_left_without_a_code() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.PsmrError)]
    assert len(kinds) > 10
    assert all(exit_code_of(kind("why")) for kind in kinds)


def complain(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """The exit code and the one line that a command line gets."""
    code = main(words)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("psmr: ")
    assert printed.err.count("\n") == 1
    return code, printed.err


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["srve"], "Did you mean 'serve'?: see psmr --help"),
        (["serve"], "Missing argument 'CLUSTER.toml': see psmr serve --help"),
        (["serve", "x.toml"], "--id"),
        (["serve", "x.toml", "--id", "one"], "--id"),
        (["status", "--digst", "x"], "--digest"),
        (["demo", "--workers", "17"], "--workers"),
        (["cdep", "shw"], "see psmr cdep --help"),
        (["cdep", "show", "kv", "--svg"], "--svg: expected FILE behind it, found nothing: see psmr cdep show --help"),
        (["sim", "--seeds", "x"], "--seeds: expected a whole number, found 'x': see psmr sim --help"),
        (["demo", "--seconds", "long"], "--seconds: expected a number, found 'long'"),
        (["demo", "--workers", "17"], "--workers: expected 16 or less, found '17'"),
        (["members", "x.toml", "--timeout", "nan"], "--timeout: expected 0.1 or more, found 'nan'"),
        (["upgrade", "x.toml", "--timeout", "-3"], "--timeout: expected 0.1 or more, found '-3'"),
        (["sim", "--seeds", "0"], "--seeds: expected 1 or more, found '0'"),
    ],
)
def test_wrong_usage(words: list[str], part: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, line = complain(capsys, *words)
    assert code == ExitCode.CALLER
    assert part in line


@pytest.mark.parametrize("command", ["serve {} --id 1", "up {}", "status {}"])
@pytest.mark.parametrize(
    ("text", "part"),
    [
        (None, "expected the cluster's file, found none"),
        (CLUSTER + "wrkers = 3\n", 'did you mean "workers"?'),
        (CLUSTER + TWIN, "which is replica[1].id too"),
        ("[cluster\n", "expected TOML"),
    ],
)
def test_a_cluster_file_with_a_mistake(
    command: str, text: str | None, part: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "cluster.toml"
    if text is not None:
        file.write_text(text)
    code, line = complain(capsys, *command.format(file).split())
    assert code == ExitCode.CALLER
    assert part in line
    assert str(file) in line


def test_a_replica_that_the_file_does_not_have(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "cluster.toml"
    file.write_text(CLUSTER)
    code, line = complain(capsys, "serve", str(file), "--id", "2")
    assert code == ExitCode.CALLER
    assert "has no replica 2: it has 1" in line


@pytest.mark.parametrize("command", ["serve {} --id 1", "up {}"])
def test_a_service_that_does_not_exist(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "cluster.toml"
    file.write_text(CLUSTER.replace("apps.kv:KV", "nowhere"))
    code, line = complain(capsys, *command.format(file).split())
    assert code == ExitCode.CALLER
    assert "found none called nowhere" in line
    assert list(tmp_path.iterdir()) == [file]


def test_a_wrong_annotation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "psmr_wrong_annotation.py").write_text(
        "from psmr import StateMachine, partially_dependent, u64\n"
        "class Wrong(StateMachine):\n"
        "    @partially_dependent('kee')\n"
        "    def get(self, key: u64) -> u64: return key\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    code, line = complain(capsys, "cdep", "show", "psmr_wrong_annotation", "--no-svg")
    assert code == ExitCode.CALLER
    assert "Wrong.get" in line


@pytest.mark.parametrize("address", ["tcp://", "tcp://127.0.0.1", "tcp://127.0.0.1:0", "http://node:1"])
def test_status_of_no_address(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, line = complain(capsys, "status", address)
    assert code == ExitCode.CALLER
    assert "tcp://127.0.0.1:7101" in line


def test_an_unknown_benchmark_is_answered_with_the_known(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("psmr.cli.bench.benchmark_names", lambda: ["latency", "replication"])
    assert "did you mean latency?" in complain(capsys, "bench", "latencies")[1]
    assert "give one of: latency, replication" in complain(capsys, "bench", "x")[1]


def test_an_input_file_that_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, line = complain(capsys, "demo", "kv", "--input", str(tmp_path / "none"))
    assert code == ExitCode.CALLER
    assert "expected a file or folder, found none" in line


@pytest.mark.parametrize("words", [["cdep", "show", "nowhere"], ["serve", "nowhere.toml", "--id", "1"], ["up"]])
def test_with_json_the_error_is_an_object_too(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    # `serve` has no such option: even that is said in JSON to whoever asks for it.
    assert main([*words, "--json"]) == ExitCode.CALLER
    printed = capsys.readouterr()
    error = json.loads(printed.out)["error"]
    assert error["exit_code"] == ExitCode.CALLER
    assert error["kind"] in {"ConfigurationError", "UsageError"}
    assert error["message"] in printed.err


@pytest.mark.parametrize(
    ("raised", "code"),
    [(KeyboardInterrupt(), ExitCode.INTERRUPTED), (typer.Abort(), ExitCode.INTERRUPTED), (typer.Exit(7), 7)],
)
def test_interruptions_and_exits(raised: BaseException, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> int:
        raise raised

    monkeypatch.setattr("psmr.config.load", stop)
    assert main(["status", "cluster.toml"]) == code


def test_a_fault_of_the_program_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> int:
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr("psmr.config.load", fail)
    with pytest.raises(ZeroDivisionError):
        main(["status", "cluster.toml"])


def test_a_reader_that_hangs_up_is_no_traceback() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "psmr", "cdep", "show", "apps.kv:KV", "--no-svg"]
    with open(writing, "wb") as output:
        result = subprocess.run(command, stdout=output, stderr=subprocess.PIPE, text=True, cwd=ROOT, check=False)
    assert result.returncode == ExitCode.FAILED
    assert result.stderr == ""
