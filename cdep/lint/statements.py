"""Statements: the ways through a function, what it binds, keeps, imports and catches."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from typing import Any

from cdep.lint.annotated import annotated_value
from cdep.lint.builtin_calls import is_broad
from cdep.lint.expressions import Expressions
from cdep.lint.unit import known
from cdep.lint.values import ITERATOR, UNKNOWN, Value, element, joined


class Statements(Expressions):
    """Reads statements."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.returned: Value | None = None
        self._globals: set[str] = set()
        self._imported: set[str] = set()

    def body(self, statements: list[ast.stmt]) -> None:
        """Read statements one after another."""
        for each in statements:
            read = _READERS.get(type(each))
            if read:
                read(self, each)
            else:
                self.inside(each)

    def is_imported(self, name: str) -> bool:
        return name in self._imported

    def is_global(self, name: str) -> bool:
        return name in self._globals

    def bind(self, name: str, value: Value) -> None:
        if name not in self._globals:
            super().bind(name, value)

    def _assign(self, node: ast.Assign) -> None:
        value = self.evaluate(node.value)
        for target in node.targets:
            pairs = self._pairs(target, node.value)
            if pairs is None:
                self.assign(target, value)
            for each, inner in pairs or ():
                self.assign(each, self.evaluate(inner))

    def _pairs(self, target: ast.expr, value: ast.expr) -> list[tuple[ast.expr, ast.expr]] | None:
        """`a, b = x, y`, told apart."""
        if not isinstance(target, ast.Tuple) or not isinstance(value, ast.Tuple):
            return None
        if len(target.elts) != len(value.elts) or any(
            isinstance(each, ast.Starred) for each in [*target.elts, *value.elts]
        ):
            return None
        return list(zip(target.elts, value.elts, strict=True))

    def _annotated(self, node: ast.AnnAssign) -> None:
        value = self.evaluate(node.value) if node.value is not None else UNKNOWN
        promised = annotated_value(node.annotation, self.place.names)
        if node.value is not None:
            self.assign(node.target, promised if value.kind == "unknown" else value)
        elif isinstance(node.target, ast.Name):
            self.bind(node.target.id, promised)

    def _augmented(self, node: ast.AugAssign) -> None:
        value = self.evaluate(node.value)
        if not isinstance(node.target, ast.Name):
            self.assign(node.target, UNKNOWN)
            return
        read = ast.copy_location(ast.Name(node.target.id, ast.Load()), node.target)
        before = self.lookup(read)
        if before.shared and before.kind in {"list", "dict", "set"} and not self.is_global(node.target.id):
            self.changed(node, before, "change of")
        combined = ast.copy_location(ast.BinOp(read, node.op, node.value), node)
        self.assign(node.target, self.evaluate(combined) if value.kind != "closure" else UNKNOWN)

    def _delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            if isinstance(target, ast.Subscript | ast.Attribute):
                self.assign(target, UNKNOWN)

    def _for(self, node: ast.For | ast.AsyncFor) -> None:
        if isinstance(node, ast.AsyncFor):
            self.found(node, "async", "async for")
        value = self.evaluate(node.iter)
        if value.kind == "set":
            self.found(node.iter, "set-order", "iteration over a set")
        if value.kind == "iterator" and value.shared:
            self.changed(node.iter, value, "iteration over")
        self._loop([node.target], element(value), node.body, node.orelse)

    def _while(self, node: ast.While) -> None:
        self.evaluate(node.test)
        self._loop([], UNKNOWN, node.body, node.orelse)

    def _loop(self, targets: list[ast.expr], value: Value, body: list[ast.stmt], after: list[ast.stmt]) -> None:
        """Through the body, and once more where its end binds what its beginning sees."""
        for _ in range(2):
            before = dict(self.variables)
            for target in targets:
                self.assign(target, value)
            self.body(body)
            self.merge([before, self.variables])
            if all(self.variables[name].key == known_before.key for name, known_before in before.items()):
                break
        self.body(after)

    def _if(self, node: ast.If) -> None:
        self.evaluate(node.test)
        before = dict(self.variables)
        self.body(node.body)
        ways = [] if _leaves(node.body) else [self.variables]
        self.variables = before
        self.body(node.orelse)
        ways += [] if node.orelse and _leaves(node.orelse) else [self.variables]
        self.merge(ways or [before])

    def _with(self, node: ast.With | ast.AsyncWith) -> None:
        if isinstance(node, ast.AsyncWith):
            self.found(node, "async", "async with")
        for item in node.items:
            value = self.evaluate(item.context_expr)
            if item.optional_vars is not None:
                self.assign(item.optional_vars, value if value.kind == "instance" else UNKNOWN)
        self.body(node.body)

    def _try(self, node: Any) -> None:
        before = dict(self.variables)
        self.body(node.body)
        ways = [self.variables]
        for handler in node.handlers:
            self.variables = {
                **before,
                **{name: joined(value, ways[0][name]) if name in ways[0] else value for name, value in before.items()},
            }
            self._handler(handler)
            ways.append(self.variables)
        self.merge(ways)
        self.body(node.orelse)
        self.body(node.finalbody)
        for each in node.finalbody:
            if isinstance(each, ast.Return | ast.Break | ast.Continue):
                self.found(each, "swallowed", "a way out of finally")

    def _handler(self, handler: ast.ExceptHandler) -> None:
        kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
        names = [self._broad_name(kind) for kind in kinds]
        broad = [name for name in names if name]
        if broad and not isinstance(handler.body[-1], ast.Raise):
            self.found(handler, "swallowed", broad[0])
        if handler.name:
            self.bind(handler.name, UNKNOWN)
        self.body(handler.body)

    def _broad_name(self, kind: ast.expr | None) -> str:
        if kind is None:
            return "a bare except"
        value = self.evaluate(kind)
        return f"except {value.of.__name__}" if value.kind == "known" and is_broad(value.of) else ""

    def _global(self, node: ast.Global) -> None:
        self._globals |= set(node.names)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """A function inside a function is read where it stands."""
        if isinstance(node, ast.AsyncFunctionDef):
            self.found(node, "async", f"async def {node.name}")
        for each in [*node.decorator_list, *node.args.defaults, *(d for d in node.args.kw_defaults if d)]:
            self.evaluate(each)
        before, returned = dict(self.variables), self.returned
        self.returned = None
        for parameter in [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]:
            self.bind(parameter.arg, annotated_value(parameter.annotation, self.place.names))
        self.body(node.body)
        inner, self.returned = self.returned or UNKNOWN, returned
        self.variables = before
        goes_on = any(isinstance(each, ast.Yield | ast.YieldFrom) for each in ast.walk(node))
        self.bind(node.name, Value("closure", of=node, inner=ITERATOR if goes_on else inner))

    def _class(self, node: ast.ClassDef) -> None:
        before = dict(self.variables)
        self.body(node.body)
        self.variables = before
        self.bind(node.name, UNKNOWN)

    def _return(self, node: ast.Return) -> None:
        if node.value is not None:
            value = self.evaluate(node.value)
            self.returned = value if self.returned is None else joined(self.returned, value)

    def _import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._check_import(node, alias.name)
            name = alias.name if alias.asname else alias.name.partition(".")[0]
            self.bind(alias.asname or name, _module(name))

    def _import_from(self, node: ast.ImportFrom) -> None:
        home = self.program.module_name(self.place.names, node)
        self._check_import(node, home)
        for alias in node.names:
            module = sys.modules.get(home)
            inner = sys.modules.get(f"{home}.{alias.name}")
            if module is not None and alias.name in vars(module):
                read = ast.copy_location(ast.Attribute(ast.Name("module"), alias.name, ast.Load()), node)
                value = self.program.member_of(self, read, module)
            else:
                value = known(inner) if inner is not None else Value("name", of=f"{home}.{alias.name}")
            self.bind(alias.asname or alias.name, value)
            self._imported.add(alias.asname or alias.name)

    def _check_import(self, node: ast.AST, name: str) -> None:
        if name not in sys.modules and name.partition(".")[0] not in sys.stdlib_module_names:
            self.found(node, "import", f"import of {name}")

    def _match(self, node: ast.Match) -> None:
        self.evaluate(node.subject)
        before, ways = dict(self.variables), []
        for case in node.cases:
            self.variables = dict(before)
            for each in ast.walk(case.pattern):
                name = getattr(each, "name", None) or getattr(each, "rest", None)
                if isinstance(name, str):
                    self.bind(name, UNKNOWN)
            if case.guard is not None:
                self.evaluate(case.guard)
            self.body(case.body)
            ways.append(self.variables)
        self.merge([before, *ways])


def _module(name: str) -> Value:
    module = sys.modules.get(name)
    return known(module) if module is not None else Value("name", of=name)


def _leaves(body: list[ast.stmt]) -> bool:
    """Whether a branch does not go on behind its statement."""
    return isinstance(body[-1], ast.Return | ast.Raise | ast.Continue | ast.Break)


_READERS: dict[type[ast.stmt], Callable[[Any, Any], None]] = {
    ast.Assign: Statements._assign,
    ast.AnnAssign: Statements._annotated,
    ast.AugAssign: Statements._augmented,
    ast.Delete: Statements._delete,
    ast.For: Statements._for,
    ast.AsyncFor: Statements._for,
    ast.While: Statements._while,
    ast.If: Statements._if,
    ast.With: Statements._with,
    ast.AsyncWith: Statements._with,
    ast.Try: Statements._try,
    ast.TryStar: Statements._try,
    ast.Global: Statements._global,
    ast.FunctionDef: Statements._function,
    ast.AsyncFunctionDef: Statements._function,
    ast.ClassDef: Statements._class,
    ast.Return: Statements._return,
    ast.Import: Statements._import,
    ast.ImportFrom: Statements._import_from,
    ast.Match: Statements._match,
}
