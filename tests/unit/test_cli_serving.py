"""Replicas of local clusters start without the parser of command lines, and do as if it had read their words."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from psmr.cli.exits import ExitCode
from psmr.cli.serving import Serve
from psmr.cluster import processes

PROGRAM = """
import sys
from psmr.cli import main
code = main(sys.argv[1:])
print(code, "typer" in sys.modules)
"""


@pytest.mark.parametrize("joins", [False, True])
def test_the_words_of_local_clusters_are_understood(
    joins: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[list[str]] = []

    def note(command: list[str], **options: Any) -> None:
        started.append(command)

    monkeypatch.setattr(processes.subprocess, "Popen", note)
    processes.ReplicaProcess(tmp_path / "file", 7, tmp_path / "log", joins=joins).start()
    ((python, *words),) = started
    assert (python, words[:2]) == (sys.executable, ["-m", "psmr"])
    assert Serve.said_by(words[2:]) == Serve(tmp_path / "file", 7, joins)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["serve"],
        ["serve", "file"],
        ["serve", "file", "--id"],
        ["serve", "file", "--id", "one"],
        ["serve", "file", "--id", "-1"],
        ["serve", "file", "--id", "\u00b2"],
        ["serve", "--help", "--id", "1"],
        ["serve", "file", "--id", "1", "--help"],
        ["serve", "file", "--id", "1", "--join", "--json"],
        ["serve", "--id", "1", "file"],
        ["up", "file", "--id", "1"],
    ],
)
def test_other_words_are_the_parsers(words: list[str]) -> None:
    assert Serve.said_by(words) is None


@pytest.mark.parametrize(("words", "parsed"), [(["file", "--id", "1"], False), (["--id", "1", "file"], True)])
def test_an_error_is_told_alike_with_and_without_the_parser(words: list[str], parsed: bool, tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, "serve", *words]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert ran.stdout == f"{int(ExitCode.CALLER)} {parsed}\n"
    assert ran.stderr == "psmr: file: expected the cluster's file, found none: give the path of one\n"
