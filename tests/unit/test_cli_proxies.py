"""`psmr proxies write` puts generated proxies where told, the same each time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from psmr.cli import main
from psmr.cli.exits import ExitCode


def test_proxies_are_written_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "generated"
    assert main(["proxies", "write", "kv:integer", "--to", str(folder)]) == ExitCode.OK
    named = [Path(line) for line in capsys.readouterr().out.splitlines()]
    assert named == sorted(folder.iterdir())
    assert len(named) == 2
    first = {path: path.read_bytes() for path in named}
    assert main(["proxies", "write", "kv:integer", "--to", str(folder), "--json"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out) == {"files": [str(path) for path in named]}
    assert {path: path.read_bytes() for path in named} == first


def test_a_file_is_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "file"
    path.write_text("mine")
    assert main(["proxies", "write", "kv", "--to", str(path)]) == ExitCode.CALLER
    assert "expected a folder or nothing, found a file" in capsys.readouterr().err
    assert path.read_text() == "mine"
