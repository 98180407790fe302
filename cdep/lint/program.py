"""The service's code as one program: each function read once for each kind of arguments, whoever calls it."""

from __future__ import annotations

import ast
import enum
import sys
from collections import deque
from types import FunctionType, ModuleType
from typing import Any

import numpy as np

from cdep.lint.annotated import annotated_value
from cdep.lint.floats import guarded_in
from cdep.lint.members import library_value, member
from cdep.lint.naming import Naming, usual
from cdep.lint.report import CannotLint, Finding
from cdep.lint.scope import Scope
from cdep.lint.source import FunctionNode, Read, SourceFile, bindings_of
from cdep.lint.statements import Statements
from cdep.lint.unit import CLOSURE_VARIABLE, MODULE_VARIABLE, Place, Unit, argument_names, known, python_function
from cdep.lint.values import UNKNOWN, Value, joined

DEPTH_MAX = 12
"""So deep in calls, what is called is read later; only what it returns is then unknown."""
VARIANTS_MAX = 6
_MUTABLE = (list, dict, set, bytearray, deque, np.ndarray)
_TELLING = {"set", "float", "known", "method", "choice", "closure", "instance", "iterator", "list", "dict"}


class Program:
    """What was read so far and what was found in it."""

    def __init__(self, scope: Scope, read: Read, files: dict[str, SourceFile]) -> None:
        self.scope = scope
        self.naming = Naming()
        self.findings: dict[tuple[str, int, int, str], Finding] = {}
        self.last_lines: dict[tuple[str, int, int, str], int] = {}
        self.files = files
        self.codes: set[Any] = set()
        self.attributes: dict[tuple[type, str], Value] = {}
        self._read = read
        self._results: dict[tuple[object, ...], Value] = {}
        self._variants: dict[Any, int] = {}
        self._constants: set[int] = set()
        self._module_values: dict[tuple[int, str], Value] = {}
        self._class_variables: set[tuple[type, str]] = set()
        self._reads: list[tuple[Place, ast.AST, str, str]] = []
        self._later: deque[tuple[Any, ...]] = deque()
        self._held: list[object] = []
        self._guarded: dict[ast.AST, frozenset[str]] = {}

    def finish(self) -> None:
        """Read what was put off, and report what only all of it together shows."""
        while self._later:
            self._run(*self._later.popleft())
        changed = {finding.what.rpartition(" ")[2] for finding in self.findings.values() if finding.code == "global"}
        for place, node, name, what in self._reads:
            if name not in changed:
                self.found(place, node, "global", what)

    def found(self, place: Place, node: Any, code: str, what: str) -> None:
        """Keep what was found at a node, once."""
        finding = Finding(place.file.path, node.lineno, node.col_offset + 1, code, what, place.chain)
        key = (finding.file, finding.line, finding.column, code)
        self.findings.setdefault(key, finding)
        is_block = isinstance(node, ast.ExceptHandler | ast.stmt)
        self.last_lines.setdefault(key, node.lineno if is_block else node.end_lineno or node.lineno)

    def call(
        self,
        function: Any,
        receiver: Value | None,
        values: list[Value],
        keywords: dict[str, Value],
        chain: tuple[str, ...],
    ) -> Value:
        """Read a function as called with such values; what it returns, as far as it is known."""
        if not isinstance(function, FunctionType):
            function = _inner(function)
        while not self.scope.has(str(function.__globals__.get("__name__"))):
            if not isinstance(getattr(function, "__wrapped__", None), FunctionType):
                return UNKNOWN
            function = function.__wrapped__
        if function.__code__.co_filename.startswith("<") and function.__name__.startswith("__"):
            return UNKNOWN  # made by a decorator, such as a dataclass's __init__
        if self._variants.get(function.__code__, 0) >= VARIANTS_MAX:
            values, keywords = [], {}
        values = [each if each.kind in _TELLING else UNKNOWN for each in values]
        key = _key(function, receiver, values, keywords)
        if key in self._results:
            return self._results[key]
        self._held += [*values, *keywords.values(), receiver]  # keys hold ids
        self._variants[function.__code__] = self._variants.get(function.__code__, 0) + 1
        self._results[key] = UNKNOWN
        work = (function, receiver, values, keywords, (*chain, function.__name__))
        if len(chain) >= DEPTH_MAX:
            self._later.append((*work[:4], work[4][-DEPTH_MAX:]))
        else:
            self._results[key] = self._run(*work)
        return self._results[key]

    def remember(self, owner: type, name: str, value: Value) -> None:
        """What instances of a class that a command makes for itself have as an attribute."""
        known_before = self.attributes.get((owner, name), value)
        self.attributes[owner, name] = joined(known_before, value)

    def guarded(self, function: ast.AST) -> frozenset[str]:
        """The expressions that a function makes sure are no NaN."""
        if function not in self._guarded:
            self._guarded[function] = guarded_in(function)
        return self._guarded[function]

    def module_variable(self, unit: Unit, node: ast.AST, names: dict[str, Any], name: str) -> Value:
        """What a module's variable means, having read where its value comes from."""
        key = (id(names), name)
        if key not in self._module_values:
            value, is_settled = self._module_variable(unit, node, names, name)
            if not is_settled:
                return value
            self._module_values[key] = value
        return self._module_values[key]

    def _module_variable(self, unit: Unit, node: ast.AST, names: dict[str, Any], name: str) -> tuple[Value, bool]:
        """The same, and whether there is nothing to say of each place that reads it."""
        found = names[name]
        module = str(names.get("__name__"))
        is_own = self.scope.has(str(getattr(found, "__module__", "")))
        if isinstance(found, ModuleType) or (callable(found) and is_own) or not self.scope.has(module):
            return known(found), True
        file = self.file_of(names)
        for statement in file.bindings.get(name, ()) if file else ():
            if isinstance(statement, ast.ImportFrom):
                return self._imported(unit, node, names, statement, name), False
            self._constant(unit, names, statement, name)
        line = file.changes(name, found) if file else 0
        if line:
            what = f"module variable {name}, which line {line} of its module changes"
            self._reads.append((unit.place, node, name, what))
        return known(found, f"{MODULE_VARIABLE} {name}"), not line

    def class_variable(self, unit: Unit, owner: type, name: str) -> None:
        """Read where a class attribute's value comes from."""
        if (owner, name) in self._class_variables or issubclass(owner, enum.Enum):
            return
        self._class_variables.add((owner, name))
        module = sys.modules.get(owner.__module__)
        file = self.file_of(vars(module)) if module is not None else None
        if module is None or file is None:
            return
        for statement in bindings_of(file.class_body(owner.__qualname__)).get(name, ()):
            self._constant(unit, {**vars(module), **vars(owner), "__name__": module.__name__}, statement, name)

    def default_factories(self, unit: Unit, owner: type) -> None:
        """Read what a dataclass calls for the values that its maker leaves out."""
        module = sys.modules.get(owner.__module__)
        file = self.file_of(vars(module)) if module is not None else None
        if module is None or file is None or (owner, "") in self._class_variables:
            return
        self._class_variables.add((owner, ""))
        written = bindings_of(file.class_body(owner.__qualname__))
        reader = Statements(self, Place(file, vars(module), (*unit.place.chain, owner.__name__)))
        for statement in [each for name in written for each in written[name]]:
            for given in getattr(getattr(statement, "value", None), "keywords", ()):
                if given.arg == "default_factory":
                    reader.invoke(given.value, reader.evaluate(given.value), [], {})

    def member_of(self, unit: Unit, node: ast.Attribute, module: ModuleType) -> Value:
        """What `from module import name` gives inside a function."""
        return member(unit, node, known(module))

    def module_name(self, names: dict[str, Any], node: ast.ImportFrom) -> str:
        """The full name of the module that an import names."""
        if not node.level:
            return node.module or ""
        package = str(names.get("__package__") or "").split(".")
        base = package[: len(package) - node.level + 1]
        return ".".join([*base, *([node.module] if node.module else [])])

    def file_of(self, names: dict[str, Any]) -> SourceFile | None:
        """The source of a module, if it has one."""
        path = names.get("__file__")
        return self._file(path, names) if isinstance(path, str) else None

    def _file(self, path: str, names: dict[str, Any]) -> SourceFile | None:
        if path not in self.files:
            text = self._read(path, names)
            if not text:
                return None
            self.files[path] = SourceFile(path, text)
        return self.files[path]

    def _imported(
        self, unit: Unit, node: ast.AST, names: dict[str, Any], statement: ast.ImportFrom, name: str
    ) -> Value:
        """A variable that was imported from another module: what it is there."""
        home = self.module_name(names, statement)
        theirs = next(alias.name for alias in statement.names if (alias.asname or alias.name) == name)
        module = sys.modules.get(home)
        if module is not None and self.scope.has(home) and theirs in vars(module):
            return self.module_variable(unit, node, vars(module), theirs)
        return library_value(unit, Value("name", of=f"{usual(home)}.{theirs}"), names[name])

    def _constant(self, unit: Unit, names: dict[str, Any], statement: Any, name: str) -> None:
        """Read the expression that gave a variable its value when its module was imported."""
        value = getattr(statement, "value", None)
        file = self.file_of(names)
        if value is None or file is None or id(statement) in self._constants:
            return
        self._constants.add(id(statement))
        self._held.append(statement)
        Statements(self, Place(file, names, (*unit.place.chain, name), is_constant=True)).evaluate(value)

    def _run(
        self,
        function: FunctionType,
        receiver: Value | None,
        values: list[Value],
        keywords: dict[str, Value],
        chain: tuple[str, ...],
    ) -> Value:
        code = function.__code__
        self.codes.add(code)
        file, node = self._source_of(function, chain)
        place = Place(
            file,
            function.__globals__,
            chain,
            closure=_closure(function),
            own=frozenset({*code.co_varnames, *code.co_cellvars}),
            receiver=receiver,
            defined_in=_class_around(function),
            function=node,
        )
        reader = Statements(self, place, _bound(function, node, receiver, values, keywords))
        self._check_defaults(function, node, place)
        if isinstance(node, ast.Lambda):
            return reader.evaluate(node.body)
        if isinstance(node, ast.AsyncFunctionDef):
            reader.found(node, "async", f"async def {node.name}")
        reader.body(node.body)
        promised = annotated_value(node.returns, function.__globals__)
        if code.co_flags & _GENERATOR:
            return Value("iterator", inner=promised.inner)
        return promised if promised.kind not in {"unknown", "instance"} else reader.returned or promised

    def _source_of(self, function: FunctionType, chain: tuple[str, ...]) -> tuple[SourceFile, FunctionNode]:
        code = function.__code__
        where = f"{function.__module__}.{function.__qualname__}"
        file = self._file(code.co_filename, function.__globals__)
        if file is None:
            raise CannotLint(
                f"{where}: expected its source at {code.co_filename}:{code.co_firstlineno}, found none: "
                "run it from source files, as .py beside or instead of .pyc"
            )
        node = file.function(code.co_firstlineno, function.__name__, argument_names(code)) or file.function(
            code.co_firstlineno, code.co_name, argument_names(code)
        )
        if node is None:
            raise CannotLint(
                f"{where}: expected it at {code.co_filename}:{code.co_firstlineno}, found something else there: "
                "the file was changed since it was imported, so start again"
            )
        return file, node

    def _check_defaults(self, function: FunctionType, node: FunctionNode, place: Place) -> None:
        outside = Statements(self, Place(place.file, place.names, place.chain, closure=place.closure))
        made = [*(function.__defaults__ or ())]
        named = function.__kwdefaults__ or {}
        pairs = list(zip(node.args.defaults, made, strict=False))
        for parameter, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True):
            if default is not None:
                pairs.append((default, named.get(parameter.arg)))
        for default, value in pairs:
            outside.evaluate(default)
            if isinstance(value, _MUTABLE) or hasattr(type(value), "__next__"):
                outside.found(default, "default", f"a default that is a {type(value).__name__}")


_GENERATOR = 0x20


def _bound(
    function: FunctionType, node: FunctionNode, receiver: Value | None, values: list[Value], keywords: dict[str, Value]
) -> dict[str, Value]:
    """What the parameters mean: what was given, or what their annotations promise."""
    given = node.args
    named = [*given.posonlyargs, *given.args]
    variables = {
        each.arg: annotated_value(each.annotation, function.__globals__) for each in [*named, *given.kwonlyargs]
    }
    values = [receiver, *values] if receiver is not None else values
    for parameter, value in zip(named, values, strict=False):
        if value.kind != "unknown":
            variables[parameter.arg] = value
    for name, value in keywords.items():
        if name in variables and value.kind != "unknown":
            variables[name] = value
    for star in (given.vararg, given.kwarg):
        if star is not None:
            variables[star.arg] = UNKNOWN
    return variables


def _closure(function: FunctionType) -> dict[str, Value]:
    found = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        if name != "__class__":
            found[name] = _cell(cell, name)
    return found


def _cell(cell: Any, name: str) -> Value:
    try:
        return known(cell.cell_contents, f"{CLOSURE_VARIABLE} {name}")
    except ValueError:  # nothing was bound to it so far
        return UNKNOWN


def _class_around(function: FunctionType) -> type | None:
    """The class whose body a method stands in, where it says `super`."""
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        if name == "__class__" and isinstance(cell.cell_contents, type):
            return cell.cell_contents
    return None


def _key(
    function: FunctionType, receiver: Value | None, values: list[Value], keywords: dict[str, Value]
) -> tuple[object, ...]:
    named = tuple(sorted((name, value.key) for name, value in keywords.items() if value.kind in _TELLING))
    return (function, receiver.key if receiver else None, tuple(each.key for each in values), named)


def _inner(function: Any) -> FunctionType:
    found = python_function(function)
    if found is None:
        raise CannotLint(f"{function!r}: expected a Python function, found a {type(function).__name__}")
    return found
