"""Which modules are the service's own, and so are read, and which are taken by name."""

from __future__ import annotations

import sys
from functools import cache

_ENGINE = frozenset({"psmr", "cdep", "proxies", "numpy", "numba", "llvmlite"})
_INSTALLED = ("site-packages", "dist-packages")


class Scope:
    """The modules that are read: those of the service's classes, of their packages, and what is not installed."""

    def __init__(self, owners: tuple[type, ...]) -> None:
        self._own = {owner.__module__ for owner in owners}
        self._packages = {module.partition(".")[0] for module in self._own} - _ENGINE
        self.has = cache(self._has)

    def _has(self, module: str) -> bool:
        top = module.partition(".")[0]
        if module in self._own:
            return True
        if top in _ENGINE or top in sys.stdlib_module_names or module not in sys.modules:
            return False
        path = getattr(sys.modules[module], "__file__", None)
        return top in self._packages or (path is not None and not any(part in path for part in _INSTALLED))
