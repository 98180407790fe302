"""`--json [FILE]` is the same in every command: what it says of itself, which word is a file, what is then where."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from psmr.checking.exhaustive.__main__ import main as exhaustive
from psmr.cli import main
from psmr.cli.exits import ExitCode
from psmr.cli.json_option import complete_json
from psmr.cli.program import program
from psmr.errors import ConfigurationError
from psmr.json_output import HELP, STANDARD_OUTPUT, JsonOutput
from psmr.simulation.__main__ import main as simulation

OF_ITS_OWN = {"exhaustive": exhaustive, "simulation": simulation}
"""Modules that are commands: `python -m`."""
WITHOUT = ["serve"]
"""A replica has no result: what it says of itself is in its log, and `psmr status` asks it."""


def commands(command: Any, *words: str) -> Iterator[list[str]]:
    """The words of every command below."""
    if not hasattr(command, "commands"):
        yield list(words)
        return
    for name, each in command.commands.items():
        yield from commands(each, *words, name)


ALL = [words for words in commands(typer.main.get_command(program)) if words != WITHOUT]


def spaced(text: str) -> str:
    """The text without a table's lines and line breaks."""
    return " ".join(re.sub(r"[│╭╮╰╯─]", " ", text).split())


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_command_says_the_same_of_it(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, "--help"]) == ExitCode.OK
    assert f"--json [FILE] {HELP}" in spaced(capsys.readouterr().out)


@pytest.mark.parametrize("name", OF_ITS_OWN)
def test_so_do_modules_that_are_commands(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        OF_ITS_OWN[name](["--help"])
    assert f"--json [FILE] {HELP}" in spaced(capsys.readouterr().out)


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_command_takes_it_without_a_file_and_with_one(words: list[str]) -> None:
    at_end, with_file = [*words, "--json"], [*words, "--json=out"]
    assert complete_json(program, at_end) == [*at_end, "-"]
    assert complete_json(program, with_file) == with_file
    assert complete_json(program, [*at_end, "word"]) in ([*at_end, "word"], [*at_end, "-", "word"])


@pytest.mark.parametrize(
    ("text", "is_file"),
    [
        ("status --json cluster.toml", False),
        ("status cluster.toml --json out", True),
        ("status --digest cluster.toml --json out", True),
        ("events --from 5 --json cluster.toml", False),
        ("events --from 5 cluster.toml --kind made --json out", True),
        ("cdep show --json kv", False),
        ("cdep show kv --svg kv.svg --json out", True),
        ("replay --to 9 --json data", False),
        ("replay data --json --to", False),
        ("check --model kv --json history.edn", False),
        ("proxies write kv --to there --json out", True),
        ("demo --json kv:integer", False),
        ("demo --json module:name", False),
        ("demo kv --json out", True),
        ("demo --json out", True),
        ("chaos --json all", False),
        ("bench --json growth", False),
        ("bench growth --json out", True),
        ("fuzz reply --json record", False),
        ("fuzz reply --json out", True),
        ("sim --seeds 3 --json out", True),
        ("nothing --json out", True),
        ("status cluster.toml --json -", True),
    ],
)
def test_a_word_behind_it_is_a_file_where_no_argument_is_missing(text: str, is_file: bool) -> None:
    words = text.split()
    place = words.index("--json") + 1
    assert complete_json(program, words) == (words if is_file else [*words[:place], "-", *words[place:]])


def test_a_file_holds_what_stdout_would_and_stdout_is_for_people(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "made" / "lint.json"
    assert main(["cdep", "lint", "kv"]) == ExitCode.OK
    for_people = capsys.readouterr().out
    assert main(["cdep", "lint", "kv", "--json"]) == ExitCode.OK
    for_machines = capsys.readouterr().out
    assert for_machines.count("\n") == 1
    for words in (["--json", str(file)], [f"--json={file}"]):
        assert main(["cdep", "lint", "kv", *words]) == ExitCode.OK
        assert capsys.readouterr().out == for_people
        assert json.loads(file.read_text()) == json.loads(for_machines)
        file.unlink()


def test_a_file_that_is_something_else_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "notes"
    file.write_text("mine")
    assert main(["cdep", "lint", "kv", f"--json={file}"]) == ExitCode.CALLER
    printed = capsys.readouterr()
    assert "expected JSON or no file" in printed.err
    assert json.loads(printed.out)["error"]["exit_code"] == ExitCode.CALLER
    assert file.read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "words"), [("exhaustive", ["--operations", "2"]), ("simulation", ["--seeds", "2", "--start", "5"])]
)
def test_modules_that_are_commands_write_the_same(
    name: str, words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "out.json"
    assert OF_ITS_OWN[name]([*words, "--json", str(file)]) == 0
    assert "{" not in capsys.readouterr().out
    assert OF_ITS_OWN[name]([*words, "--json"]) == 0
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    written = [json.loads(file.read_text())] if len(printed) == 1 else map(json.loads, file.read_text().splitlines())
    measured = {"processor_s", "wall_s", "per_processor_s"}
    assert [without(each, measured) for each in written] == [without(each, measured) for each in printed]


def without(document: dict[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in names}


def test_a_stream_is_in_the_file_line_by_line(tmp_path: Path) -> None:
    file = tmp_path / "events"
    file.write_text('{"of": "an earlier run"}\n')
    with JsonOutput(file).stream() as write:
        for number in range(3):
            write({"position": number})
            assert [json.loads(line) for line in file.read_text().splitlines()][-1] == {"position": number}
    assert file.read_text().count("\n") == 3


def test_nothing_is_written_where_nobody_asked(capsys: pytest.CaptureFixture[str]) -> None:
    output = JsonOutput(None)
    output.write({"a": 1})
    with output.stream() as write:
        write({"a": 1})
    assert not output.is_wanted
    assert capsys.readouterr().out == ""
    assert JsonOutput(STANDARD_OUTPUT).is_alone


def test_a_place_that_is_none_is_refused_before_anything_runs() -> None:
    with pytest.raises(ConfigurationError, match="expected a place to write JSON to"):
        JsonOutput(Path("/proc/none/out.json"))
