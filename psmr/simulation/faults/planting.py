"""Putting a fault into the engine: its modules, loaded anew from changed source, side by side with the true ones."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.abc import MetaPathFinder, SourceLoader
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from psmr.errors import ConfigurationError

_RELOADED = (
    "psmr.core",
    "psmr.storage",
    "psmr.transport",
    "psmr.log",
    "psmr.replica",
    "psmr.client",
    "psmr.simulation",
)
_KEPT = "psmr.simulation.faults"


@dataclass(frozen=True, slots=True)
class PlantedFault:
    """A mistake, by name: in one module one piece of text, which must occur once, is replaced by another.

    `seeds`: within so many of them the simulation must catch it, with `replicas` replicas. `core`: in the simulation of
    the consensus core alone, which sees every effect, instead of that of the whole path.
    """

    name: str
    module: str
    text: str
    instead: str
    seeds: int = 60
    replicas: int = 3
    core: bool = False

    def source(self) -> str:
        """The changed source. Raises ConfigurationError when the text is not there once."""
        specification = find_spec(self.module)
        if specification is None or specification.origin is None:
            raise ConfigurationError(f"fault {self.name}: expected a module {self.module}, found none: adapt the fault")
        source = Path(specification.origin).read_text(encoding="utf-8")
        if source.count(self.text) != 1:
            raise ConfigurationError(
                f"fault {self.name}: expected its text once in {self.module}, found it {source.count(self.text)} times: "
                "adapt the fault to the source"
            )
        return source.replace(self.text, self.instead)


class _Loader(SourceLoader):
    def __init__(self, path: str, source: str) -> None:
        self._path = path
        self._source = source

    def get_filename(self, fullname: str) -> str:
        return self._path

    def get_data(self, path: str) -> bytes:
        return self._source.encode()


class _Finder(MetaPathFinder):
    def __init__(self, fault: PlantedFault) -> None:
        self._fault = fault
        self._source = fault.source()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self._fault.module:
            return None
        true = PathFinder.find_spec(fullname, path)
        if true is None or true.origin is None:
            return None
        return spec_from_file_location(fullname, true.origin, loader=_Loader(true.origin, self._source))


@contextmanager
def planted(fault: PlantedFault) -> Iterator[None]:
    """Inside, what is imported of the engine has the fault. What was imported before keeps the true modules."""
    finder = _Finder(fault)
    true = _take_out()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        _take_out()
        sys.modules.update(true)
        _bind(true)


def _take_out() -> dict[str, ModuleType]:
    names = [name for name in sys.modules if name.startswith(_RELOADED) and not name.startswith(_KEPT)]
    return {name: sys.modules.pop(name) for name in names}


def _bind(modules: dict[str, ModuleType]) -> None:
    """A package holds its modules as attributes, too: those of the true ones again."""
    for name, module in modules.items():
        parent, _, child = name.rpartition(".")
        if parent in sys.modules:
            setattr(sys.modules[parent], child, module)
