"""docs/TESTING.md is true: its files are run as a user would run them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from inner_runs import run_inside

import psmr.testing.replays  # imported here, it stays imported between the runs of pytest below
from psmr.verification import verifying

pytest_plugins = ["pytester"]
PAGE = (Path(__file__).parents[2] / "docs" / "TESTING.md").read_text()
FILES: dict[str, str] = dict(re.findall(r"<!-- (\S+\.py) -->\n```python\n(.*?)```", PAGE, re.DOTALL))


@pytest.fixture
def folder(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    assert psmr.testing.replays
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.syspath_prepend(pytester.path)
    pytester.makepyfile(**{name.removesuffix(".py"): text for name, text in FILES.items()})
    return pytester


def test_every_block_of_code_is_a_file_that_is_run() -> None:
    assert len(FILES) == PAGE.count("```python") == 4


def test_its_tests_pass(folder: pytest.Pytester) -> None:
    result = run_inside(folder, "--psmr-seconds=0.3")
    result.assert_outcomes(passed=FILES_TESTS)


def test_a_deleted_key_fails_as_it_says(folder: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifying, "STATES_AFTER_FIRST", 4)
    (folder.path / "accounts.py").write_text(
        FILES["accounts.py"].replace('"source", "target", domain', '"source", domain')
    )
    chosen = "test_annotations.py::test_whatever_is_not_ordered_commutes"
    result = run_inside(folder, "--psmr-seconds=60", chosen)
    result.assert_outcomes(failed=1)
    (said,) = re.findall(r"<!-- without \"target\" -->\n```\n(.*?)```", PAGE, re.DOTALL)
    for line in said.splitlines():
        assert line in result.stdout.str()


FILES_TESTS = sum(text.count("\ndef test_") for text in FILES.values())
