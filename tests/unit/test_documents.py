"""What the documents point to is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("docs/*.md"), ROOT / "README.md", ROOT / "tests" / "README.md"])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_test_and_source_file_named_exists(document: Path) -> None:
    named = re.findall(r"`((?:tests|psmr|cdep|proxies|bench|apps|docs)/[\w/.-]+\.(?:py|md|svg))`", document.read_text())
    missing = sorted({path for path in named if not (ROOT / path).exists()})
    assert not missing


def test_every_invariant_names_its_test() -> None:
    rows = re.findall(r"^\| (\d+) \| (.+) \| (.+) \|$", (ROOT / "docs" / "INVARIANTS.md").read_text(), re.MULTILINE)
    assert len(rows) >= 27
    assert all("tests/" in tests for _, _, tests in rows)
