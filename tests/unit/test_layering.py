"""The arrows of docs/ARCHITECTURE.md, section 1: an import that points the wrong way fails here."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PACKAGES = {
    "cdep": set[str](),
    "proxies": {"cdep"},
    "psmr": {"cdep", "proxies"},
    "apps": {"psmr"},
    "bench": {"cdep", "proxies", "psmr", "apps"},
}
"""Which of the other top-level packages each may import."""

PURE = {"errors", "core"}
TOLD = {"files", "json_output"}
DEVICES = PURE | {"storage", "state", "transport"}
PORTS = DEVICES | {"proxy_files", "log", "execution"}
ENDS = PORTS | {"config", "replica", "client"}
AROUND = {"workload", "services", "lint", "cluster", "simulation", "checking", "verification"}

LAYERS = {
    "errors": set[str](),
    "files": {"errors"},
    "json_output": {"files"},
    "core": {"errors"},
    "storage": PURE,
    "state": PURE,
    "transport": PURE,
    "log": DEVICES,
    "proxy_files": {"errors"},
    "execution": DEVICES | {"proxy_files"},
    "config": {"errors"},
    "replica": PORTS | {"config"},
    "client": PORTS | {"config"},
    "simulation": ENDS | TOLD | {"checking"},
    "checking": PURE | TOLD,
    "verification": PURE | {"state", "workload"},
    "workload": PURE,
    "services": {"errors", "workload"},
    "lint": PURE,
    "cluster": DEVICES | {"config", "services", "lint"},
    "": ENDS | {"workload"},
    "testing": ENDS | AROUND | {"demo"},
    "demo": ENDS | AROUND | TOLD,
    "chaos": ENDS | AROUND | {"demo"},
    "advice": ENDS | AROUND | {"demo"},
    "fuzzing": ENDS | {"", "checking"},
    "replaying": ENDS | {"services"},
    "cli": ENDS | AROUND | TOLD | {"", "testing", "demo", "fuzzing", "chaos", "advice", "replaying"},
    "__main__": {"cli"},
}
"""Which of the other parts of psmr each part may import; "" is `psmr/__init__.py`, the public names."""

FOR_APPS = {"psmr", "psmr.testing", "psmr.workload"}
"""The modules an application may import names from."""


def imports(source: str, module: str, *, is_package: bool = False) -> Iterator[tuple[int, str, str]]:
    """Each import of `source` as (line, module, name); the name is empty for `import module`."""
    package = module.split(".") if is_package else module.split(".")[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name, ""
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            for alias in node.names:
                yield node.lineno, ".".join([*base, *filter(None, [node.module])]), alias.name


def public_names_used(source: str) -> Iterator[tuple[int, str]]:
    """Each `psmr.name` as (line, name): within psmr, `import psmr` is only for such as `__path__`."""
    for node in ast.walk(ast.parse(source)):
        is_of_psmr = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "psmr"
        if is_of_psmr and not node.attr.startswith("__"):
            yield node.lineno, node.attr


def wrong_arrows(source: str, module: str, parts: set[str], *, is_package: bool = False) -> list[str]:
    """What is wrong with the imports of one module; `parts` are the sub-packages and modules of psmr."""
    found = []
    if module.startswith("psmr."):
        found = [f"{module}:{line} uses psmr.{name}: import it by name" for line, name in public_names_used(source)]
    for line, target, name in imports(source, module, is_package=is_package):
        complaint = _judge(module, target, name, parts)
        if complaint:
            found.append(f"{module}:{line} imports {target}{f' ({name})' if name else ''}: {complaint}")
    return found


def _judge(module: str, target: str, name: str, parts: set[str]) -> str | None:
    here, there = module.split(".")[0], target.split(".")[0]
    if there == "tests":
        return "nothing outside tests imports tests"
    if there not in PACKAGES:
        return None
    if here != there and there not in PACKAGES[here]:
        return f"{here} may import {sorted(PACKAGES[here]) or 'none of the others'}"
    if here == "apps" and there == "psmr":
        is_public = target in FOR_APPS and name and not (target == "psmr" and name in parts)
        return None if is_public else f"an application says `from psmr import name` (or from {sorted(FOR_APPS)})"
    if here == there == "psmr" and (name or target != "psmr"):
        return _judge_inside(_part(module, "", parts), _part(target, name, parts))
    return None


def _part(module: str, name: str, parts: set[str]) -> str:
    """The part of psmr that `module` lies in; `from psmr import state` means the part, not a public name."""
    inner = module.split(".")[1:]
    if inner:
        return inner[0]
    return name if name in parts else ""


def _judge_inside(here: str, there: str) -> str | None:
    if here not in LAYERS:
        return f"psmr/{here} has no place in LAYERS: give it one in this file and in docs/ARCHITECTURE.md"
    if there == here or there in LAYERS[here]:
        return None
    return f"psmr/{here or '__init__.py'} may import {sorted(LAYERS[here]) or 'nothing'} of psmr"


def modules() -> Iterator[tuple[Path, str]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            inner = path.relative_to(ROOT).with_suffix("")
            yield path, ".".join(inner.parts).removesuffix(".__init__")


def parts_of_psmr() -> set[str]:
    return {path.stem for path in (ROOT / "psmr").iterdir() if path.suffix in {"", ".py"}} - {"__init__", "__pycache__"}


def test_every_arrow_points_the_right_way() -> None:
    parts = parts_of_psmr()
    found = [
        complaint
        for path, module in modules()
        for complaint in wrong_arrows(path.read_text(), module, parts, is_package=path.name == "__init__.py")
    ]
    assert not found, "\n" + "\n".join(found)


def test_every_part_of_psmr_has_a_place() -> None:
    missing = parts_of_psmr() - LAYERS.keys()
    assert not missing, f"give {sorted(missing)} a place in LAYERS and in docs/ARCHITECTURE.md"


def test_the_layers_have_no_circle() -> None:
    placed: set[str] = set()
    while len(placed) < len(LAYERS):
        ready = {part for part, below in LAYERS.items() if below <= placed} - placed
        assert ready, f"a circle among {sorted(LAYERS.keys() - placed)}"
        placed |= ready


WRONG = [
    ("cdep.groups", "import psmr"),
    ("cdep.groups", "from proxies import layout"),
    ("proxies.layout", "from psmr.core import batch"),
    ("psmr.core.raft", "from psmr.storage import segments"),
    ("psmr.core.raft", "from psmr import storage"),
    ("psmr.core.raft", "from ..transport.router import Router"),
    ("psmr.state.map", "import psmr.transport.router"),
    ("psmr.log.memory", "if True:\n    from psmr.execution import ring"),
    ("psmr.replica.main", "from psmr.client import connect"),
    ("psmr.client.connection", "def late():\n    from psmr.replica import main"),
    ("psmr.checking.search", "from psmr.cli import main"),
    ("psmr.core.raft", "from psmr import StateMachine"),
    ("psmr.execution.generated", "import psmr\nhere = psmr.StateMachine"),
    ("psmr.newcomer", "from psmr import errors"),
    ("psmr.cli.demo", "from apps.kv import KV"),
    ("psmr.cli.demo", "from tests.unit import test_layering"),
    ("apps.kv.service", "from psmr.core import batch"),
    ("apps.kv.service", "from psmr import core"),
    ("apps.kv.service", "import psmr"),
    ("apps.kv.service", "from cdep import independent"),
    ("bench.codec", "from tests import conftest"),
]

RIGHT = [
    ("cdep.groups", "from cdep.hashing import mix\nimport numpy"),
    ("proxies.layout", "from cdep import Service"),
    ("psmr.core.raft", "from psmr.core.batch import Batch\nfrom psmr.errors import Refused\nfrom psmr import errors"),
    ("psmr.core.raft", "from .batch import Batch\nfrom ..errors import Refused"),
    ("psmr.log.raft", "from psmr.storage.segments import Segment\nfrom psmr.transport import router"),
    ("psmr.replica.main", "from psmr.config import ClusterConfig\nfrom psmr.log import OrderedLog"),
    ("psmr.execution.generated", "import psmr\nfolder = psmr.__path__"),
    ("psmr.cli.demo", "from psmr import connect\nfrom psmr.replica.main import run"),
    (
        "apps.kv.service",
        "from psmr import StateMachine, u64\nfrom psmr.workload import zipf\nfrom apps.kv import model",
    ),
    ("bench.codec", "from psmr.core import batch\nfrom apps.kv import KV"),
]


@pytest.mark.parametrize(("module", "source"), WRONG)
def test_a_wrong_arrow_is_found(module: str, source: str) -> None:
    assert wrong_arrows(source, module, {*LAYERS} - {""})


@pytest.mark.parametrize(("module", "source"), RIGHT)
def test_a_right_arrow_is_let_pass(module: str, source: str) -> None:
    assert wrong_arrows(source, module, {*LAYERS} - {""}) == []
