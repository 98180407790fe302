"""The dotted name of an object that is loaded, whatever it was imported as, and what the table says of a name."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from cdep.lint.names import CODE_OF, HARMLESS, KEEP_DRAWING, SAME_MODULE, SEEDED

_NOT_TOLD_APART = (str, bytes, int, float, bool, tuple, type(None), ModuleType)
"""Two names may share one such object, so none says where a value comes from."""


class Naming:
    """Names by identity first: an alias at module level is the same object. Imports nothing; looks at what is loaded."""

    def __init__(self) -> None:
        self._known: dict[int, str] = {}
        for name in CODE_OF:
            found = _loaded(name)
            if found is not None and not isinstance(found, _NOT_TOLD_APART):
                self._known.setdefault(id(found), name)

    def name_of(self, value: Any) -> str:
        """The dotted name of a function, class, module or object; of an object without one, its class's."""
        known = self._known.get(id(value))
        if known is not None:
            return known
        if isinstance(value, ModuleType):
            return usual(value.__name__)
        owner = getattr(value, "__self__", None)
        name = getattr(value, "__name__", None)
        if owner is not None and isinstance(name, str):
            return _of_a_module(value, owner, name) or f"{self.name_of(owner)}.{name}"
        module = getattr(value, "__module__", None)
        qualname = getattr(value, "__qualname__", None)
        if isinstance(module, str) and isinstance(qualname, str):
            return f"{usual(module)}.{qualname}"
        return self.name_of(type(value)) if not isinstance(value, type) else value.__name__


def code_of(name: str) -> str:
    """The code of what is wrong with a name whenever it is used; empty where nothing is."""
    for keeper in KEEP_DRAWING:
        if name.startswith(f"{keeper}."):
            return "random"
    while name:
        if name in CODE_OF:
            return CODE_OF[name]
        name = name.rpartition(".")[0]
    return HARMLESS


def code_of_call(name: str, arguments: int) -> str:
    """The code of what is wrong with a call that tells too little, as a generator without a seed."""
    code, enough = SEEDED.get(name, (HARMLESS, 0))
    return code if arguments < enough else HARMLESS


def usual(module: str) -> str:
    """The name under which a module is known: `os` for `posix`."""
    rest: list[str] = []
    while module:
        if module in SAME_MODULE:
            return ".".join([SAME_MODULE[module], *rest])
        module, _, last = module.rpartition(".")
        rest.insert(0, last)
    return ".".join(rest)


def _of_a_module(value: Any, owner: Any, name: str) -> str:
    """`random.randint`, which is a method of a generator that its module keeps."""
    module = usual(type(owner).__module__)
    at_top = vars(sys.modules[module]).get(name) if module in sys.modules else None
    return f"{module}.{name}" if at_top is not None and at_top == value else ""


def _loaded(name: str) -> Any:
    """The object of a dotted name if its module is loaded, else None."""
    module, _, rest = name.rpartition(".")
    parts = [rest]
    while module and module not in sys.modules:
        module, _, last = module.rpartition(".")
        parts.insert(0, last)
    found: Any = sys.modules.get(module)
    for part in parts:
        found = vars(found).get(part) if hasattr(found, "__dict__") else None
    return found
