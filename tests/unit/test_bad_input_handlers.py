"""A handler that cannot be compiled is refused before anything runs: in one line that says where, why and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
import uncompilable_services as services

from cdep import StateMachine
from psmr.cli import main
from psmr.cli.exits import ExitCode
from psmr.config import local_cluster
from psmr.errors import ConfigurationError
from psmr.execution.engine import Engine

INTERPRETED = 'or set execution = "interpreted", which takes any Python and is slower'


def line_marked(owner: type[StateMachine]) -> int:
    """The line of the class that is marked as the one to name."""
    lines = Path(str(services.__file__)).read_text().splitlines()
    begin = lines.index(f"class {owner.__name__}(StateMachine):")
    return next(number for number, line in enumerate(lines[begin:], start=begin + 1) if line.endswith("# here"))


def complaint(owner: type[StateMachine]) -> str:
    engine = Engine(owner, 1)
    try:
        with pytest.raises(ConfigurationError) as caught:
            engine.start()
    finally:
        engine.close()
    return str(caught.value)


@pytest.mark.parametrize(
    ("owner", "method", "cause", "cure"),
    [
        (services.KeepsADict, "count", "cannot safely cast unicode_type to int64", INTERPRETED),
        (services.Divides, "half", "half: reply: expected u64, found float64", "correct that line"),
        (services.StoresText, "put", "Map.put: value: expected u64, found", "correct that line"),
        (
            services.Misspells,
            "put",
            "Unknown attribute 'tabel'",
            "as a Map, Array or Table, and nothing else of `self`",
        ),
        (
            services.NamesWhatItEmits,
            "tell",
            "unexpected keyword argument 'key'",
            "values in their order, without names",
        ),
        (
            services.WritesAsADict,
            "put",
            "no implementation of setitem(psmr.Map(u64, u64)",
            "with `key_at(cursor)` and `value_at(cursor)`",
        ),
        (services.WalksAsADict, "total", "Unknown attribute 'items'", "with `key_at(cursor)` and `value_at(cursor)`"),
        (services.OpensAFile, "_size", "construct is not supported", INTERPRETED),
    ],
)
def test_the_line_and_the_cause_are_named(owner: type[StateMachine], method: str, cause: str, cure: str) -> None:
    text = complaint(owner)
    place = f"{owner.__name__}.{method} ({services.__file__}:{line_marked(owner)})"
    assert text.startswith(f"{place}: expected a handler that Numba can compile, found: ")
    assert cause in text
    assert text.endswith(cure)
    assert "\n" not in text
    assert len(text) < 600


def test_interpreted_execution_takes_it() -> None:
    engine = Engine(services.KeepsADict, 1, compiled=False)
    try:
        engine.start()
        assert engine.dead() == []
    finally:
        engine.close()


def test_what_cannot_be_compiled_is_not_ordered_to_take_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "cluster.toml"
    config = local_cluster("bad", "uncompilable_services:Divides", tmp_path / "data", token="0", replicas=1)
    file.write_text(config.to_toml())
    # There is no cluster to ask: it does not come to that.
    assert main(["upgrade", str(file), "--timeout", "0.1"]) == ExitCode.CALLER
    assert "half: reply: expected u64, found float64" in " ".join(capsys.readouterr().err.split())
