"""The demonstration passes for every application: nothing lost, nothing twice, replay, model and history agree."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.cluster, pytest.mark.slow]
REAL_DATA = Path(__file__).parents[3] / "shared" / "data"


def demo(*arguments: str) -> dict[str, object]:
    """What `psmr demo … --json` prints."""
    command = [sys.executable, "-m", "psmr", "demo", *arguments, "--seconds", "3", "--json"]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    result: dict[str, object] = json.loads(ran.stdout)
    return result


@pytest.mark.parametrize("arguments", [("nameserver",), ("kv:integer", "--replicas", "5", "--workers", "1")])
def test_it_passes(arguments: tuple[str, ...]) -> None:
    result = demo(*arguments)
    wanted = {"lost": 0, "duplicated": 0, "digests_equal": True, "model_equal": True, "linearizable": True}
    assert {key: result[key] for key in wanted} == wanted
    assert result["acknowledged"] == result["commands"]


def test_it_passes_on_a_real_zone_and_its_real_updates() -> None:
    data = REAL_DATA / "dns"
    if not data.exists():
        pytest.skip(f"no {data}")
    result = demo("nameserver", "--input", str(data))
    assert result["model_equal"]
    assert result["linearizable"]


def test_what_an_application_finds_in_its_real_input_is_part_of_the_result(tmp_path: Path) -> None:
    file = tmp_path / "messages.csv"
    rows = [f"{number},1,{number},10,{5_000_000 - 100 * number},1" for number in range(1, 400)]
    rows += [f"{400 + number},4,{number},10,{5_000_000 - 100 * number},1" for number in range(1, 300)]
    file.write_text("\n".join(rows) + "\n")
    result = demo("book", "--input", str(file))
    wanted = {
        "executions_compared": 299,
        "same_resting_order": 299,
        "mismatches": {},
        "model_equal": True,
        "passed": True,
    }
    assert {key: result[key] for key in wanted} == wanted
