"""Drawings of benchmarks: valid files, the same bytes from the same curves, and clear refusals."""

from __future__ import annotations

import importlib.util
import sys
import xml.etree.ElementTree as Xml
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bench._plot import Plot, draw
from psmr.cli import main
from psmr.cli.exits import ExitCode
from psmr.errors import ConfigurationError

PLOTS = [
    Plot("Throughput", "commands a column", "commands/s", {"disk": [(1, 2e3), (1024, 2e6)]}, log_x=True, log_y=True),
    Plot("Share", "share", "×", {"paper": [(0, 1.7), (0.5, 0.6)], "bound": [(0, 2), (0.5, 1.3)]}, note="two workers"),
    Plot("Replicas", "replicas", "commands/s", {"memory": [(1, 3e6), (3, 2e6), (5, 1e6)]}),
    Plot("Nothing was measured", "x", "y", {}),
]


def words(svg: str) -> set[str]:
    return {(element.text or "").strip() for element in Xml.fromstring(svg).iter() if element.tag.endswith("text")}


def test_an_svg_says_what_was_measured(tmp_path: Path) -> None:
    draw(PLOTS, tmp_path / "curves.svg")
    found = words((tmp_path / "curves.svg").read_text())
    assert {"Throughput", "commands a column", "1,024", "two workers"} <= found
    assert {"paper", "bound", "1", "3", "5", "Nothing was measured"} <= found


def test_a_png_is_one(tmp_path: Path) -> None:
    draw(PLOTS, tmp_path / "curves.PNG")
    assert (tmp_path / "curves.PNG").read_bytes().startswith(b"\x89PNG\r\n")


def test_the_same_curves_give_the_same_bytes_and_replace_a_drawing(tmp_path: Path) -> None:
    for name in ("one.svg", "two.svg", "two.svg"):
        draw(PLOTS, tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()


@pytest.mark.parametrize("name", ["curves", "curves.pdf"])
def test_another_kind_of_file_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"ends in \.svg or \.png"):
        draw(PLOTS, tmp_path / name)


@pytest.mark.parametrize("name", ["notes.svg", "notes.png"])
def test_a_file_that_is_no_drawing_stays(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("dear diary")
    with pytest.raises(ConfigurationError, match="expected a drawing or no file"):
        draw(PLOTS, tmp_path / name)
    assert (tmp_path / name).read_text() == "dear diary"


class TestCommand:
    """`psmr bench NAME --plot FILE`, on a benchmark that takes no time."""

    @pytest.fixture(autouse=True)
    def module(self, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
        def run(quick: bool, say: Any) -> dict[str, Any]:
            self.ran = True
            return {"machine": {"cores": 2}}

        self.ran = False
        module = ModuleType("bench.fast")
        members: dict[str, Any] = {
            "QUESTION": "how fast is nothing?",
            "run": run,
            "table": lambda result: [("heading",), ("cell",)],
            "passed": lambda result: True,
            "plots": lambda result: PLOTS,
        }
        for name, member in members.items():
            setattr(module, name, member)
        monkeypatch.setitem(sys.modules, "bench.fast", module)
        monkeypatch.setattr("psmr.cli.bench.benchmark_names", lambda: ["fast"])
        return module

    @pytest.fixture
    def no_matplotlib(self, monkeypatch: pytest.MonkeyPatch) -> None:
        find = importlib.util.find_spec
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "matplotlib" else find(name))

    def test_it_is_drawn_where_asked(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["bench", "fast", "--plot", str(tmp_path / "there.svg")]) == ExitCode.OK
        assert "Throughput" in words((tmp_path / "there.svg").read_text())
        assert f"drawn to {tmp_path / 'there.svg'}" in capsys.readouterr().err

    def test_it_is_drawn_beside_the_measurements(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["bench", "fast", "--json", str(tmp_path / "fast.json")]) == ExitCode.OK
        assert sorted(path.name for path in tmp_path.iterdir()) == ["fast.json", "fast.svg"]
        assert f"drawn to {tmp_path / 'fast.svg'}" in capsys.readouterr().err

    def test_unasked_there_is_only_a_hint(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert main(["bench", "fast"]) == ExitCode.OK
        assert "--plot FILE.svg" in capsys.readouterr().err
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.usefixtures("no_matplotlib")
    def test_without_matplotlib_it_is_refused_before_anything_is_measured(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["bench", "fast", "--plot", str(tmp_path / "x.svg")]) == ExitCode.CALLER
        assert "psmr[bench]" in capsys.readouterr().err
        assert not self.ran

    @pytest.mark.usefixtures("no_matplotlib")
    def test_without_matplotlib_measurements_are_written_all_the_same(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["bench", "fast", "--json", str(tmp_path / "fast.json")]) == ExitCode.OK
        assert "not drawn" in capsys.readouterr().err
        assert [path.name for path in tmp_path.iterdir()] == ["fast.json"]

    def test_a_benchmark_without_curves_says_so(
        self, module: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        del module.plots
        assert main(["bench", "fast", "--plot", str(tmp_path / "x.svg")]) == ExitCode.CALLER
        assert "leave --plot out" in capsys.readouterr().err
        assert main(["bench", "fast"]) == ExitCode.OK
        assert "--plot" not in capsys.readouterr().err
