"""The pure parts take clocks, networks, disks and randomness as parameters: they import none of them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PURE = ("psmr/core", "cdep")

CLOCKS = {"time", "datetime"}
CHANCE = {"random", "secrets", "uuid"}
PROCESSES = {"threading", "multiprocessing", "subprocess", "concurrent", "asyncio", "signal", "_thread"}
OUTSIDE = {"os", "pathlib", "io", "shutil", "tempfile", "mmap", "fcntl", "socket", "select", "selectors", "zmq"}
IMPURE = CLOCKS | CHANCE | PROCESSES | OUTSIDE
IMPURE_BUILTINS = {"open", "input", "print"}


def impurities(source: str) -> Iterator[tuple[int, str]]:
    """Each (line, what) by which a module could see or change more than its arguments."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            names = [f"{node.value.id}.{node.attr}".replace("np.", "numpy.")]
            names = [name for name in names if name == "numpy.random"]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in IMPURE_BUILTINS:
            yield node.lineno, f"calls {node.func.id}()"
            continue
        else:
            continue
        for name in names:
            if name.split(".")[0] in IMPURE or name.startswith("numpy.random"):
                yield node.lineno, f"uses {name}"


def test_the_pure_parts_are_pure() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line} {what}: pass it in as a parameter, or move the code to the caller"
        for folder in PURE
        for path in sorted((ROOT / folder).rglob("*.py"))
        for line, what in impurities(path.read_text())
    ]
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "import os.path",
        "from time import monotonic",
        "def late():\n    import socket",
        "from concurrent.futures import ThreadPoolExecutor",
        "import numpy as np\nvalue = np.random.default_rng()",
        "from numpy import random",
        "import numpy.random",
        "text = open('file').read()",
    ],
)
def test_an_impurity_is_found(source: str) -> None:
    assert list(impurities(source))


@pytest.mark.parametrize(
    "source",
    [
        "import numpy as np\nimport numba\nfrom collections.abc import Callable",
        "from .random import walk",
        "def expired(self, time):\n    return time > self.time",
        "class File:\n    def open(self): ...\n    def use(self):\n        self.open()",
    ],
)
def test_purity_is_let_pass(source: str) -> None:
    assert list(impurities(source)) == []
