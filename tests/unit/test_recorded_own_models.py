"""`psmr check` with an application's model, and with a user's own: deterministic or not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from psmr.cli.program import main

MODELS = """
class Counter:
    initial = 0
    read_only = frozenset({"value"})
    def step(self, state, command, arguments):
        return (state, state) if command == "value" else (state + arguments[0], None)
    def key(self, command, arguments):
        return None

class Coin:
    initial = "unknown"
    def outcomes(self, state, command, arguments):
        return [("heads", None), ("tails", None)] if command == "toss" else [(state, state)]
    def key(self, command, arguments):
        return None

coin = Coin()
number = 7
"""


def history(*calls: tuple[str, Any, Any]) -> str:
    """One process's calls, each with its value and its answer."""
    events = []
    for f, called, answered in calls:
        events.append({"process": 0, "type": "invoke", "f": f, "value": called})
        events.append({"process": 0, "type": "ok", "f": f, "value": answered})
    return "\n".join(map(json.dumps, events))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "own_models.py").write_text(MODELS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("model", "good", "bad"),
    [
        ("apps.kv", [("put", ["a", "x"], True), ("get", "a", "x")], [("put", ["a", "x"], True), ("get", "a", None)]),
        ("kv:integer", [("put", [1, 2], True), ("get", 1, 2)], [("put", [1, 2], False)]),
        ("own_models:Counter", [("add", 2, None), ("value", None, 2)], [("add", 2, None), ("value", None, 3)]),
        ("own_models:coin", [("toss", None, None), ("look", None, "tails")], [("look", None, "tails")]),
    ],
)
def test_the_verdict(model: str, good: Any, bad: Any, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder / "h.jsonl"
    for calls, code in ((good, 0), (bad, 1)):
        path.write_text(history(*calls))
        assert main(["check", str(path), "--model", model]) == code, capsys.readouterr()
        assert main(["check", str(path), "--model", model, "--whole"]) == code


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (
            ["own_models:Countre"],
            "own_models:Countre: expected an object of that name, found none: did you mean Counter?",
        ),
        (["own_models:number"], "without"),
        (["no.such"], "found none called no.such here"),
        (["own_models"], "--model own_models: expected the name of a model"),
        (["own_models:Counter"], "expected it to take add()"),
        (["apps.kv"], "record 1: expected a command of apps.kv (clear, compare_and_set, delete, get, put, size) as :f"),
        (["own_models:Counter", "--keyed"], "--keyed: expected none for own_models:Counter"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    words: list[str], complaint: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / "h.jsonl"
    path.write_text(history(("add", None, None)))
    assert main(["check", str(path), "--model", *words]) == 2
    printed = capsys.readouterr().err
    assert complaint in printed
    assert printed.count("\n") == 1
