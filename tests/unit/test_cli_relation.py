"""`psmr cdep show`: tables for people, JSON for machines, a picture that never replaces somebody's file."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from psmr.cli import main
from psmr.cli.exits import ExitCode

SERVICE = "kv:integer"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_tables_and_a_picture_in_the_current_folder(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cdep", "show", SERVICE]) == ExitCode.OK
    text = capsys.readouterr().out
    assert "same key: put, delete, compare_and_set" in text
    assert "always: clear" in text
    assert "1 of 64 by key" in text
    assert "all 64" in text
    assert "graph written to IntegerKV-cdep.svg" in text
    assert [path.name for path in here.iterdir()] == ["IntegerKV-cdep.svg"]
    assert ElementTree.parse(here / "IntegerKV-cdep.svg").getroot().tag.endswith("svg")


def test_the_picture_goes_where_told_and_may_be_drawn_anew(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = here / "docs" / "relation.svg"
    for _ in range(2):
        assert main(["cdep", "show", SERVICE, "--svg", str(path)]) == ExitCode.OK
    assert path.read_text().startswith("<svg ")
    assert path.stat().st_mode & 0o777 == 0o666 & ~_umask()
    assert [path.name for path in path.parent.iterdir()] == ["relation.svg"]
    capsys.readouterr()


def _umask() -> int:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("Umask:"))
    return int(line.split()[1], 8)


def test_no_picture(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cdep", "show", SERVICE, "--no-svg"]) == ExitCode.OK
    assert "graph" not in capsys.readouterr().out
    assert list(here.iterdir()) == []


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cdep", "show", SERVICE, "--json"]) == ExitCode.OK
    document = json.loads(capsys.readouterr().out)
    assert document["service"] == "apps.kv.service:IntegerKV"
    assert document["svg"] == "IntegerKV-cdep.svg"
    get = document["relation"][0]
    assert (get["command"], get["class"], get["parameters"]) == ("get", "partial read", "key: u64")
    assert {"command": "put", "when": "same key"} in get["conflicts"]
    assert document["groups"][0] == {
        "command": "get",
        "class": "partial read",
        "touches": "key read",
        "groups": "1 of 64 by key",
    }


def test_a_file_that_is_no_picture_stays(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = here / "thesis.txt"
    path.write_text("years of work")
    assert main(["cdep", "show", SERVICE, "--svg", str(path)]) == ExitCode.CALLER
    assert "something else: give another path" in capsys.readouterr().err
    assert path.read_text() == "years of work"


@pytest.mark.parametrize("place", ["file/picture.svg", "."])
def test_a_place_that_cannot_be_written(place: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "file").write_text("")
    assert main(["cdep", "show", SERVICE, "--svg", place]) == ExitCode.CALLER
    message = capsys.readouterr().err
    assert f"psmr: {place}: expected a place to write an SVG picture to, found: " in message
    assert sorted(path.name for path in here.iterdir()) == ["file"]
