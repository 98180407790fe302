"""A source file as the checks need it: functions by their first line, what stands at the top, comments that allow."""

from __future__ import annotations

import ast
import re
import tokenize
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from cdep.lint.names import MUTATORS
from cdep.lint.report import CannotLint

Read = Callable[[str, dict[str, Any]], str]
"""The text of a source file, by its path and the variables of the module that was made of it; empty if there is none."""

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Scope = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
_PLAIN = (str, bytes, int, float, bool, tuple, frozenset, type(None), np.generic)
_BLOCKS = (
    ast.If,
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.With,
    ast.AsyncWith,
    ast.Try,
    ast.TryStar,
    ast.ExceptHandler,
    ast.Match,
)
_ALLOW = re.compile(r"#\s*psmr:\s*allow\b(?P<rest>.*)$")


@dataclass(frozen=True, slots=True)
class Allowance:
    """A comment `# psmr: allow CODES - REASON`; what is missing in it is empty."""

    line: int
    column: int
    codes: tuple[str, ...]
    reason: str


class SourceFile:
    """One file, parsed once."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self._text = text
        try:
            self.tree = ast.parse(text)
        except SyntaxError as error:
            raise CannotLint(
                f"{path}:{error.lineno}: expected Python source, found: {error.msg}: correct it there"
            ) from None

    def function(self, line: int, name: str, arguments: tuple[str, ...]) -> FunctionNode | None:
        """The function whose code says that it begins at `line`; None if the file is not what was loaded."""
        if name == "<lambda>":
            return next((node for node in self._lambdas.get(line, ()) if parameters(node) == arguments), None)
        node = _function_at(self.tree.body, line)
        return node if node is not None and node.name == name and parameters(node) == arguments else None

    def class_body(self, qualname: str) -> list[ast.stmt]:
        """The statements of a class; none if it is not written out here."""
        body: list[ast.stmt] = self.tree.body
        for part in qualname.replace(".<locals>", "").split("."):
            found = next((node for node in _scopes(body) if node.name == part), None)
            if found is None:
                return []
            body = found.body
        return body

    @cached_property
    def bindings(self) -> dict[str, list[ast.stmt]]:
        """What gives each name of the module its value: assignments and imports outside functions and classes."""
        return bindings_of(self.tree.body)

    def changes(self, name: str, value: Any) -> int:
        """The first line on which a function of this module changes a module variable; 0 if none does."""
        if isinstance(value, _PLAIN) and "global " not in self._text:
            return 0  # bound once, and nothing to change in place
        return self._changed.get(name, 0)

    @cached_property
    def _changed(self) -> dict[str, int]:
        found: dict[str, int] = {}
        left = list(_scopes(self.tree.body))
        for node in left:  # grows
            if isinstance(node, ast.ClassDef):
                left += _scopes(node.body)
                continue
            for name, line in _changes(node):
                if name in self.bindings:
                    found.setdefault(name, line)
        return found

    @cached_property
    def allowances(self) -> dict[int, Allowance]:
        """The comments that allow, by line."""
        if "psmr:" not in self._text:
            return {}
        lines = iter(self._text.splitlines(keepends=True))
        tokens = tokenize.generate_tokens(lambda: next(lines, ""))
        comments = ((token, _ALLOW.search(token.string)) for token in tokens if token.type == tokenize.COMMENT)
        return {
            token.start[0]: _allowance(token.start[0], token.start[1] + 1, match["rest"])
            for token, match in comments
            if match
        }

    @cached_property
    def _lambdas(self) -> dict[int, list[FunctionNode]]:
        found: dict[int, list[FunctionNode]] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Lambda):
                found.setdefault(node.lineno, []).append(node)
        return found


def _function_at(body: list[Any], line: int) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    """The function whose first line, a decorator's perhaps, is this one."""
    for statement in body:
        decorators = getattr(statement, "decorator_list", None)
        first = decorators[0].lineno if decorators else statement.lineno
        if not first <= line <= (statement.end_lineno or first):
            continue
        if first == line and isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            return statement
        return next((found for inner in _bodies(statement) if (found := _function_at(inner, line))), None)
    return None


def _bodies(statement: Any) -> Iterator[list[Any]]:
    """The blocks of a statement; of `match`, those of its cases."""
    for name in ("body", "orelse", "finalbody", "handlers"):
        block = getattr(statement, name, None)
        if isinstance(block, list):
            yield block
    yield from (case.body for case in getattr(statement, "cases", ()))


def parameters(node: FunctionNode) -> tuple[str, ...]:
    """The names of a function's parameters, as its code lists them."""
    given = node.args
    stars = [star.arg for star in (given.vararg, given.kwarg) if star]
    named = [*given.posonlyargs, *given.args, *given.kwonlyargs]
    return (*(each.arg for each in named), *stars)


def bindings_of(body: list[ast.stmt]) -> dict[str, list[ast.stmt]]:
    """The assignments and imports in a body, by the names that they bind."""
    found: dict[str, list[ast.stmt]] = {}
    for statement in _plain(body):
        for name in _bound(statement):
            found.setdefault(name, []).append(statement)
    return found


def _bound(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, ast.ImportFrom | ast.Import):
        yield from (alias.asname or alias.name.partition(".")[0] for alias in statement.names)
    elif isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        for target in targets:
            if isinstance(target, ast.Name):
                yield target.id
            else:
                yield from (node.id for node in ast.walk(target) if isinstance(node, ast.Name))


def _plain(body: list[Any]) -> Iterator[Any]:
    """Every statement of a body that runs when it runs: branches, but no functions and classes."""
    for statement in body:
        yield statement
        if isinstance(statement, _BLOCKS):
            for block in _bodies(statement):
                yield from _plain(block)


def _scopes(body: list[Any]) -> Iterator[ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    for statement in body:
        if isinstance(statement, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield statement
        elif isinstance(statement, _BLOCKS):
            for block in _bodies(statement):
                yield from _scopes(block)


def _changes(function: FunctionNode) -> Iterator[tuple[str, int]]:
    """The names that a function changes although they are not its own, with lines."""
    if isinstance(function, ast.Lambda):
        return
    own, outer = set(parameters(function)), set[str]()
    for node in ast.walk(function):
        if isinstance(node, ast.Global):
            outer |= set(node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            own.add(node.id)
    for node in ast.walk(function):
        name = _changed_name(node)
        if name and (name in outer or name not in own):
            yield name, getattr(node, "lineno", function.lineno)


def _changed_name(node: ast.AST) -> str:
    """The variable that a node changes in place or binds anew."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
        return node.id
    if isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
        return _root(node.value)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in MUTATORS:
        return _root(node.func.value)
    return ""


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Subscript | ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _allowance(line: int, column: int, rest: str) -> Allowance:
    codes, _, reason = f"{rest} ".partition(" - ")
    named = codes.partition("#")[0].replace(",", " ").split()
    return Allowance(line, column, tuple(named), reason.strip())
