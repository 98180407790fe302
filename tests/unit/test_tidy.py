"""No file has two ideas in it, no function is longer than a screen, no two test files have one name."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("cdep", "proxies", "psmr", "apps", "bench", "tests")
FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70

ALLOWED: dict[str, str] = {}
"""`path` or `path:function` → why it may be longer. A place that is no longer too long must leave this list."""


def too_long(source: str, path: str) -> Iterator[tuple[str, int]]:
    """The file itself and each function in it that is over its limit: (`path` or `path:function`, lines)."""
    lines = len(source.splitlines())
    if lines > FILE_LINES_MAX:
        yield path, lines
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES_MAX:
                yield f"{path}:{node.name}", length


def python_files() -> list[Path]:
    return [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]


def test_files_and_functions_are_short() -> None:
    found = {
        place: lines
        for path in python_files()
        for place, lines in too_long(path.read_text(), str(path.relative_to(ROOT)))
    }
    unexplained = {place: lines for place, lines in found.items() if place not in ALLOWED}
    assert not unexplained, f"split these: a file holds one idea, a function one step: {unexplained}"
    assert ALLOWED.keys() <= found.keys(), f"no longer too long, take out of ALLOWED: {ALLOWED.keys() - found.keys()}"


def test_test_files_have_names_of_their_own() -> None:
    # Without packages under tests/, pytest tells two test files apart by their name alone.
    names = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []
    assert list((ROOT / "tests").rglob("__init__.py")) == []


def test_length_is_found() -> None:
    body = "\n".join(["    pass"] * FUNCTION_LINES_MAX)
    assert dict(too_long(f"def long():\n{body}\n", "x.py")) == {"x.py:long": FUNCTION_LINES_MAX + 1}
    assert dict(too_long("x = 1\n" * (FILE_LINES_MAX + 1), "x.py")) == {"x.py": FILE_LINES_MAX + 1}
    assert dict(too_long("x = 1\n" * FILE_LINES_MAX, "x.py")) == {}
