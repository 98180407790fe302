"""What is known of a value before anything runs: a small lattice, enough to tell sets, floats and kept things apart."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """One value as far as the text says.

    `kind` is one of
        unknown   number  float  text  list  dict  keys   plain values; `inner` is an element's
        set                                              in no fixed order
        iterator  closure                                what goes on from where it was left
        pair                                             a key and a value, of which `inner` is the kind
        known                                            `of` is the object itself: a function, a class, a constant
        instance                                         of the class `of`
        method                                           the function `of`, bound to `inner`
        choice                                           one of the values `of`: what a dict of functions holds
        field                                            declared state whose values are `inner`
        name                                             `of` is the dotted name of something that is not loaded
    `shared` says what keeps the value beyond the command: "module variable CACHE"; empty for a command's own.
    """

    kind: str
    of: Any = None
    inner: Value | None = None
    shared: str = ""

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for values that mean the same to whoever is called with them."""
        return (self.kind, id(self.of), self.inner.key if self.inner else None, self.shared)

    def kept_by(self, shared: str) -> Value:
        """The same, kept by `shared` unless something keeps it already."""
        return self if self.shared or not shared else replace(self, shared=shared)


UNKNOWN = Value("unknown")
NUMBER = Value("number")
SINGLE = Value("number", of="one object")
"""A number of which there is one object for each value: a bool, a member of an enumeration."""
FLOAT = Value("float")
CONSTANT = Value("float", of="a number")
"""A float that is no NaN."""
TEXT = Value("text")
SET = Value("set", inner=UNKNOWN)
LIST = Value("list", inner=UNKNOWN)
DICT = Value("dict", inner=UNKNOWN)
KEYS = Value("keys", inner=UNKNOWN)
ITERATOR = Value("iterator")
CLOSURE = Value("closure")

_RISK = ("closure", "iterator", "set", "float", "choice", "known", "method", "instance", "list", "dict")
"""Of two values that a name may have after a branch, the earlier of these kinds is believed."""


def joined(a: Value, b: Value) -> Value:
    """What a name may mean that is `a` on one way and `b` on the other."""
    if a.key == b.key:
        return a
    if a.kind == b.kind and a.inner and b.inner and a.kind not in {"method", "field"}:
        return replace(a, inner=joined(a.inner, b.inner), shared=a.shared or b.shared)
    for kind in _RISK:
        for value in (a, b):
            if value.kind == kind:
                return value.kept_by(a.shared or b.shared)
    return a if b.kind == "unknown" else b


def element(value: Value) -> Value:
    """What iterating over a value gives."""
    inner = (
        value.inner if value.kind in {"set", "list", "dict", "keys", "pair", "iterator"} and value.inner else UNKNOWN
    )
    return inner.kept_by(value.shared)


def listed(inner: Value) -> Value:
    """A list of such elements."""
    return Value("list", inner=inner)
