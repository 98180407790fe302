"""Expressions: what each gives, and what is wrong in it."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from cdep.lint import builtin_calls, floats
from cdep.lint.calls import Calls
from cdep.lint.unit import CLASS_ATTRIBUTE, SELF, code_of_keeper, known
from cdep.lint.values import CONSTANT, FLOAT, SET, SINGLE, TEXT, UNKNOWN, Value, element, joined, listed

_OF_SETS = (ast.BitOr, ast.BitAnd, ast.Sub, ast.BitXor)
_SINGULAR = (type(None), bool, type(...))
_GO_ON = {"iterator", "closure"}


class Expressions(Calls):
    """Reads expressions."""

    def evaluate(self, node: ast.expr) -> Value:
        """What an expression gives, having reported what is in it."""
        read = _READERS.get(type(node))
        return read(self, node) if read else self.inside(node)

    def inside(self, node: ast.AST) -> Value:
        """Read the expressions in a node of which nothing else matters."""
        for each in ast.iter_child_nodes(node):
            if isinstance(each, ast.expr):
                self.evaluate(each)
            elif not isinstance(each, ast.expr_context | ast.operator):
                self.inside(each)
        return UNKNOWN

    def comprehension(self, node: Any, *, ordered: bool) -> Value:
        """A comprehension; `ordered`: the order of what it goes through shows in what it gives."""
        before = dict(self.variables)
        from_set = False
        for each in node.generators:
            value = self.evaluate(each.iter) if ordered else builtin_calls.in_any_order(self, each.iter)
            if each.is_async:
                self.found(node, "async", "an asynchronous comprehension")
            if value.kind == "set":
                from_set = True
                if ordered:
                    self.found(each.iter, "set-order", "iteration over a set")
            self.assign(each.target, element(value))
            for condition in each.ifs:
                self.evaluate(condition)
        inner = self._elements(node)
        self.variables = before
        if isinstance(node, ast.SetComp) or (from_set and not ordered):
            return Value("set", inner=inner)
        if isinstance(node, ast.DictComp):
            return Value("dict", inner=inner)
        return Value("iterator" if isinstance(node, ast.GeneratorExp) else "list", inner=inner)

    def _elements(self, node: Any) -> Value:
        if not isinstance(node, ast.DictComp):
            inner = self.evaluate(node.elt)
            if isinstance(node, ast.SetComp):
                floats.check_key(self, node.elt, inner)
            return inner
        floats.check_key(self, node.key, self.evaluate(node.key))
        return self.evaluate(node.value)

    def assign(self, target: ast.expr, value: Value) -> None:
        """Bind what stands left of an assignment."""
        if isinstance(target, ast.Name):
            if self.is_global(target.id):
                self.found(target, "global", f"assignment to module variable {target.id}")
            elif target.id in self.place.closure:
                self.found(target, "global", f"assignment to closure variable {target.id}")
            self.bind(target.id, value)
        elif isinstance(target, ast.Attribute):
            base = self.evaluate(target.value)
            self.store_attribute(target, base, target.attr, value)
        elif isinstance(target, ast.Subscript):
            self._store_item(target, value)
        elif isinstance(target, ast.Starred):
            self.assign(target.value, listed(UNKNOWN))
        elif isinstance(target, ast.Tuple | ast.List):
            if value.kind == "set":
                self.found(target, "set-order", "unpacking of a set")
            for place, each in enumerate(target.elts):
                is_key = value.kind == "pair" and place == 0
                self.assign(each, UNKNOWN if is_key else element(value))

    def is_global(self, name: str) -> bool:
        """Whether a `global` statement of this function names it."""
        return False

    def is_imported(self, name: str) -> bool:
        """Whether an import inside this function bound it."""
        return False

    def store_attribute(self, node: ast.AST, base: Value, name: str, value: Value) -> None:
        """`base.name = value`."""
        if base.kind == "known" and isinstance(base.of, type):
            self.found(node, "class-attribute", f"assignment to {CLASS_ATTRIBUTE} {base.of.__name__}.{name}")
        elif base.kind == "known" and self._is_module(base):
            self.found(node, "global", f"assignment to module variable {base.of.__name__}.{name}")
        elif base.shared == SELF and value.kind in _GO_ON:
            self.found(node, "kept", f"{'a closure' if value.kind == 'closure' else 'an iterator'} kept as self.{name}")
        elif base.kind == "instance" and not base.shared:
            self.program.remember(base.of, name, value)
        elif base.shared and base.kind != "field":
            what = f"assignment to {base.shared}" + (f".{name}" if name else "")
            self.found(node, code_of_keeper(base.shared), what)

    def _is_module(self, base: Value) -> bool:
        return type(base.of).__name__ == "module"

    def _store_item(self, target: ast.Subscript, value: Value) -> None:
        base, key = self.evaluate(target.value), self.evaluate(target.slice)
        if base.kind == "dict":
            floats.check_key(self, target.slice, key)
        self.learn(target.value, value)
        self.changed(target, base, "assignment to an item of")

    def _name(self, node: ast.Name) -> Value:
        value = self.lookup(node)
        # What a name of the function's own was bound to was reported there.
        return value if node.id in self.variables and not self.is_imported(node.id) else self.judge(node, value)

    def _attribute(self, node: ast.Attribute) -> Value:
        return self.attribute(node)[1]

    def _constant(self, node: ast.Constant) -> Value:
        return known(node.value)

    def _set(self, node: ast.Set) -> Value:
        values = [self.evaluate(each.value if isinstance(each, ast.Starred) else each) for each in node.elts]
        for each, value in zip(node.elts, values, strict=True):
            floats.check_key(self, each, value)
        return Value("set", inner=_common(values))

    def _list(self, node: ast.List | ast.Tuple) -> Value:
        return listed(_common([self.evaluate(each) for each in node.elts]))

    def _starred(self, node: ast.Starred) -> Value:
        value = self.evaluate(node.value)
        if value.kind == "set":
            self.found(node, "set-order", "unpacking of a set")
        return element(value)

    def _dict(self, node: ast.Dict) -> Value:
        for key in node.keys:
            if key is not None:
                floats.check_key(self, key, self.evaluate(key))
        return Value("dict", inner=_common([self.evaluate(each) for each in node.values]))

    def _list_comprehension(self, node: Any) -> Value:
        return self.comprehension(node, ordered=True)

    def _set_comprehension(self, node: ast.SetComp) -> Value:
        return self.comprehension(node, ordered=False)

    def _subscript(self, node: ast.Subscript) -> Value:
        base = self.evaluate(node.value)
        self.evaluate(node.slice)
        if base.kind == "field":
            return base.inner or UNKNOWN
        if isinstance(node.slice, ast.Slice):
            return base
        if base.kind in {"list", "dict"}:
            return self.judge(node, element(base)) if base.shared else element(base)
        return Value("name", of=base.of) if base.kind == "name" else UNKNOWN.kept_by(base.shared)

    def _binary(self, node: ast.BinOp) -> Value:
        left, right = self.evaluate(node.left), self.evaluate(node.right)
        kinds = {left.kind, right.kind}
        if isinstance(node.op, _OF_SETS) and kinds & {"set", "keys"} and not kinds & {"number", "float"}:
            return SET
        if isinstance(node.op, ast.MatMult):
            self.found(node, "float-order", "the @ of arrays")
        if isinstance(node.op, ast.Pow) and "float" in kinds:
            self.found(node, "float-math", "** of floats")
        if isinstance(node.op, ast.Mod) and left.kind == "text":
            values = [self.evaluate(each) for each in node.right.elts] if isinstance(node.right, ast.Tuple) else [right]
            for value in values:
                builtin_calls.textual(self, node, value)
            return TEXT
        if "float" in kinds:
            is_constant = all(each.kind == "number" or each.of is CONSTANT.of for each in (left, right))
            return CONSTANT if is_constant else FLOAT
        if isinstance(node.op, ast.Div):
            return UNKNOWN
        return left if left.kind == right.kind and left.kind in {"number", "text"} else UNKNOWN

    def _unary(self, node: ast.UnaryOp) -> Value:
        value = self.evaluate(node.operand)
        if isinstance(node.op, ast.Not):
            return SINGLE
        return value if value.kind in {"number", "float"} else UNKNOWN

    def _compare(self, node: ast.Compare) -> Value:
        nodes = [node.left, *node.comparators]
        values = [self.evaluate(each) for each in nodes]
        floats.check_comparison(self, node, values)
        for place, operator in enumerate(node.ops):
            if isinstance(operator, ast.Is | ast.IsNot):
                self._check_is(node, nodes[place : place + 2], values[place : place + 2])
        return SINGLE

    def _check_is(self, node: ast.Compare, nodes: list[ast.expr], values: list[Value]) -> None:
        singular = any(isinstance(each, ast.Constant) and isinstance(each.value, _SINGULAR) for each in nodes)
        singular = singular or any(value.of is SINGLE.of for value in values)
        if not singular and any(value.kind in {"number", "float", "text"} for value in values):
            self.found(node, "is", "`is` on numbers or text")

    def _either(self, node: ast.IfExp | ast.BoolOp) -> Value:
        if isinstance(node, ast.IfExp):
            self.evaluate(node.test)
        parts = node.values if isinstance(node, ast.BoolOp) else [node.body, node.orelse]
        values = [self.evaluate(each) for each in parts]
        result = values[0]
        for value in values[1:]:
            result = joined(result, value)
        return result

    def _named(self, node: ast.NamedExpr) -> Value:
        value = self.evaluate(node.value)
        self.assign(node.target, value)
        return value

    def _lambda(self, node: ast.Lambda) -> Value:
        before = dict(self.variables)
        for each in [*node.args.defaults, *node.args.kw_defaults]:
            if each is not None:
                self.evaluate(each)
        for parameter in [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]:
            self.bind(parameter.arg, UNKNOWN)
        inner = self.evaluate(node.body)
        self.variables = before
        return Value("closure", of=node, inner=inner)

    def _formatted(self, node: ast.FormattedValue) -> Value:
        builtin_calls.textual(self, node.value, self.evaluate(node.value))
        if node.format_spec is not None:
            self.evaluate(node.format_spec)
        return TEXT

    def _joined_text(self, node: ast.JoinedStr) -> Value:
        for each in node.values:
            self.evaluate(each)
        return TEXT

    def _await(self, node: ast.Await) -> Value:
        self.found(node, "async", "await")
        self.evaluate(node.value)
        return UNKNOWN

    def _yield(self, node: ast.Yield | ast.YieldFrom) -> Value:
        value = self.evaluate(node.value) if node.value is not None else UNKNOWN
        if isinstance(node, ast.YieldFrom) and value.kind == "set":
            self.found(node, "set-order", "iteration over a set")
        return UNKNOWN


def _common(values: list[Value]) -> Value:
    """What the elements of a display are, where they are alike."""
    if not values:
        return UNKNOWN
    kinds = {value.kind for value in values}
    if "float" in kinds and kinds <= {"float", "number"}:
        return next(value for value in values if value.kind == "float")
    if all(value.kind in {"known", "method", "closure"} for value in values):
        return Value("choice", of=tuple(values))
    return values[0] if len(kinds) == 1 else UNKNOWN


_READERS: dict[type[ast.expr], Callable[[Any, Any], Value]] = {
    ast.Name: Expressions._name,
    ast.Attribute: Expressions._attribute,
    ast.Constant: Expressions._constant,
    ast.Call: Expressions.call,
    ast.Set: Expressions._set,
    ast.List: Expressions._list,
    ast.Tuple: Expressions._list,
    ast.Starred: Expressions._starred,
    ast.Dict: Expressions._dict,
    ast.ListComp: Expressions._list_comprehension,
    ast.GeneratorExp: Expressions._list_comprehension,
    ast.DictComp: Expressions._list_comprehension,
    ast.SetComp: Expressions._set_comprehension,
    ast.Subscript: Expressions._subscript,
    ast.BinOp: Expressions._binary,
    ast.UnaryOp: Expressions._unary,
    ast.Compare: Expressions._compare,
    ast.IfExp: Expressions._either,
    ast.BoolOp: Expressions._either,
    ast.NamedExpr: Expressions._named,
    ast.Lambda: Expressions._lambda,
    ast.FormattedValue: Expressions._formatted,
    ast.JoinedStr: Expressions._joined_text,
    ast.Await: Expressions._await,
    ast.Yield: Expressions._yield,
    ast.YieldFrom: Expressions._yield,
}
