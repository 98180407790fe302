"""What a handler that Numba cannot compile is refused with: one line instead of the compiler's pages.

Numba's report names the innermost cause first and then every caller up to the generated code; the handler's own place is
somewhere in between, or missing. Here the cause is shortened and the place is looked up in the service's source.
"""

from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numba.core.compiler import run_frontend
from numba.core.errors import NumbaError, NumbaTypeSafetyWarning, UnsupportedBytecodeError

from cdep import StateMachine
from psmr.errors import ConfigurationError
from psmr.state.mistaken import MAP_CURE, ROWS_CURE, TABLE_CURE

CAUSE_LIMIT = 200
_CORRECT = "correct that line"
_WITHOUT_NAMES = "correct that line: what the engine provides, as `emit`, takes values in their order, without names"
_REWRITE = (
    "write it with numbers, bytes and the declared state only, "
    'or set execution = "interpreted", which takes any Python and is slower'
)
_NOISE = re.compile(r"Failed in nopython mode|- Resolution failure|Raised from|$")
_OWN = re.compile(r"(?:\w+Error: )?(.+: expected .+, found .+)")
_SPECIFIC = re.compile(r"TypingError: (?!Failed in)(.+)")
_NO_IMPLEMENTATION = re.compile(
    r"No implementation of function \w+\(<.* ([\w.<>]+)(?: at \w+)?>\) found for signature:"
)
_PLACE = re.compile(r"(?:at|from) (/[^\n]+?) \((\d+)\)|^File \"([^\n]+)\", line (\d+):", re.MULTILINE)
_IN_ANY_PYTHON = re.compile(r"NameError|Unknown attribute|.+: expected .+, found |missing a required|too many")
"""Mistakes that interpreted execution would find, too: only later."""
_DECLARE = "correct that line: state is what the class declares as a Map, Array or Table, and nothing else of `self`"
_MISUSE = r"(?:Unknown attribute '\w+' of type |no implementation of \w+item\(|Invalid use of getiter with parameters \()psmr\."
_CURES = (
    (re.compile(_MISUSE + "Map"), f"{_CORRECT}: {MAP_CURE}"),
    (re.compile(_MISUSE + "Column"), f"{_CORRECT}: {ROWS_CURE}"),
    (re.compile(_MISUSE + "Table"), f"{_CORRECT}: {TABLE_CURE}"),
    (re.compile(r"(?:Unknown attribute '\w+' of type |Cannot resolve setattr: \()psmr\.Machine"), _DECLARE),
    (_IN_ANY_PYTHON, _CORRECT),
    (re.compile("got an unexpected keyword argument"), _WITHOUT_NAMES),
)
_CALLEE = re.compile(r"<function (?:[\w.]+\.)?(\w+) at ")


@contextmanager
def refusing_what_does_not_compile(owner: type[StateMachine]) -> Iterator[None]:
    """Turn a failure to compile the handlers of `owner` into a ConfigurationError that says where and why."""
    try:
        with warnings.catch_warnings():
            # It speaks of generated code, or of code that is refused a moment later.
            warnings.simplefilter("ignore", NumbaTypeSafetyWarning)
            yield
    except (NumbaError, UnsupportedBytecodeError) as error:
        raise ConfigurationError(_text(owner, str(error))) from None


@dataclass(frozen=True, slots=True)
class _Method:
    """A method of the service, and which lines of which file it is."""

    qualname: str
    function: Callable[..., Any]
    file: Path
    first_line: int
    last_line: int


def _text(owner: type[StateMachine], report: str) -> str:
    methods = _methods(owner)
    found = _place(methods, report) or _callee(methods, report) or _unreadable(methods)
    where = f"{found[0].qualname} ({found[0].file}:{found[1]})" if found else owner.__name__
    cause = _cause(report)
    cure = next((cure for pattern, cure in _CURES if pattern.match(cause)), _REWRITE)
    return f"{where}: expected a handler that Numba can compile, found: {cause}: {cure}"


def _methods(owner: type[StateMachine]) -> dict[str, _Method]:
    methods: dict[str, _Method] = {}
    for base in reversed(owner.__mro__):
        for name, value in vars(base).items():
            if inspect.isfunction(value) and issubclass(base, StateMachine) and base is not StateMachine:
                lines, first_line = inspect.getsourcelines(value)
                decorators = next((place for place, line in enumerate(lines) if line.lstrip().startswith("def ")), 0)
                place = (Path(value.__code__.co_filename), first_line + decorators, first_line + len(lines) - 1)
                methods[name] = _Method(f"{owner.__name__}.{name}", value, *place)
    return methods


def _place(methods: dict[str, _Method], report: str) -> tuple[_Method, int] | None:
    """The innermost line of the service's own source that the report names."""
    for path, line_text, relative_path, relative_line_text in _PLACE.findall(report):
        line = int(line_text or relative_line_text)
        for method in methods.values():
            # What a relative path is relative to, Numba does not say: its last part must do.
            same = Path(path) == method.file.absolute() if path else Path(relative_path).name == method.file.name
            if same and method.first_line <= line <= method.last_line:
                return method, line
    return None


def _callee(methods: dict[str, _Method], report: str) -> tuple[_Method, int] | None:
    """The innermost method that the report names: by itself, or as the generated function that calls it."""
    for name in _CALLEE.findall(report):
        method = methods.get(name) or methods.get(name.removeprefix("_execute_"))
        if method is not None:
            return method, method.first_line
    return None


def _unreadable(methods: dict[str, _Method]) -> tuple[_Method, int] | None:
    """The first method whose bytecode Numba cannot even read: of that it says no place."""
    for method in methods.values():
        try:
            run_frontend(method.function)
        except (NumbaError, UnsupportedBytecodeError):
            return method, method.first_line
    return None


def _cause(report: str) -> str:
    """The compiler's complaint without its pages: what the engine's own checks say, or else its first sentence."""
    lines = [line.strip() for line in report.split("During: resolving callee type: type(CPUDispatcher")[0].splitlines()]
    lines = [line for line in lines if not _NOISE.match(line)]
    for pattern in (_OWN, _SPECIFIC):
        for line in lines:
            if match := pattern.fullmatch(line):
                return _shortened(match[1])
    first, second = (*lines, "", "")[:2]
    if match := _NO_IMPLEMENTATION.match(first):
        return _shortened(f"no implementation of {second.removeprefix('>>> ') or match[1]}")
    return _shortened(re.sub(r"\.* Raised from .*|\.$", "", first) or "no reason given")


def _shortened(text: str) -> str:
    return text if len(text) <= CAUSE_LIMIT else f"{text[:CAUSE_LIMIT]}…"
