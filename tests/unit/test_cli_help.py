"""Help that teaches: every command says what it does, by example, and none of it loads the engine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from psmr.cli import main
from psmr.cli.arguments import benchmark_names
from psmr.cli.exits import MEANINGS, ExitCode

ROOT = Path(__file__).parents[2]
COMMANDS = [
    "demo",
    "up",
    "serve",
    "status",
    "events",
    "members",
    "upgrade",
    "replay",
    "cdep advise",
    "cdep show",
    "cdep lint",
    "cdep verify",
    "cdep infer",
    "cdep advise",
    "proxies write",
    "check",
    "sim",
    "chaos",
    "bench",
    "fuzz",
]

LIGHT = """
import sys
from psmr.cli import main
from psmr.cli.arguments import benchmark_names
assert main(["--help"]) == 0
print(*sorted({"numpy", "numba", "zmq", "networkx", "cdep", "msgspec"} & sys.modules.keys()), file=sys.stderr)
"""


def test_the_program_lists_its_commands_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == ExitCode.OK
    text = capsys.readouterr().out
    for command in COMMANDS:
        assert f"│ {command.split()[0]} " in text
    for code, meaning in MEANINGS.items():
        assert f"{code.value}  {meaning}" in text
    assert "--install-completion" in text


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_by_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command.split(), "--help"]) == ExitCode.OK
    text = capsys.readouterr().out
    assert f"psmr {command}" in text.split("Usage:")[1].split("\n", 1)[1]


@pytest.mark.parametrize("words", [[], ["cdep"], ["proxies"]])
def test_a_group_without_a_command_shows_its_help(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == ExitCode.CALLER
    printed = capsys.readouterr()
    assert "Usage: psmr" in printed.out
    assert printed.err == ""


def test_help_loads_nothing_heavy() -> None:
    command = [sys.executable, "-c", LIGHT]
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    assert result.stderr.strip() == ""


@pytest.mark.parametrize(("words", "expected"), [("serve --i", "--id"), ("cdep show ", "kv"), ("s", "status")])
def test_the_shell_is_told_how_to_complete(
    words: str, expected: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("_PSMR_COMPLETE", "complete_zsh")
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", f"psmr {words}")
    with pytest.raises(SystemExit):
        main([])
    assert f'"{expected}"' in capsys.readouterr().out


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    from psmr import __version__

    assert main(["--version"]) == ExitCode.OK
    assert capsys.readouterr().out == f"psmr {__version__}\n"


def test_benchmarks_are_listed_with_what_they_ask(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--json"]) == ExitCode.OK
    listed = json.loads(capsys.readouterr().out)["benchmarks"]
    assert list(listed) == benchmark_names()
    assert all(question.endswith("?") for question in listed.values())
    assert main(["bench"]) == ExitCode.OK
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(maxsplit=1) for line in lines] == [[name, question] for name, question in listed.items()]
