"""A command of many keys, where the model can tell which: checked in their parts, and no others need hold it."""

from __future__ import annotations

from typing import Any

from psmr.checking import Operation, check
from psmr.checking.splitting import split


class Registers:
    """Registers by key; `put_all` sets several at once."""

    initial = None
    read_only = frozenset({"get"})

    def step(self, state: Any, command: str, arguments: tuple[Any, ...]) -> tuple[Any, Any]:
        if command == "get":
            return state, state
        if command == "put":
            return arguments[1], None
        (values,) = arguments
        return next(iter(values.values())), None

    def key(self, command: str, arguments: tuple[Any, ...]) -> Any:
        return None if command == "put_all" else arguments[0]

    def parts(self, command: str, arguments: tuple[Any, ...]) -> dict[Any, tuple[Any, ...]]:
        return {key: ({key: value},) for key, value in arguments[0].items()}


def test_each_key_gets_its_own_share_and_only_that() -> None:
    history = [
        Operation("p", 0, 1, "put", ("c", 9), None),
        Operation("p", 2, 3, "put_all", ({"a": 1, "b": 2},), None),
    ]
    parts = split(history, Registers()).parts
    assert parts["a"][0].arguments == ({"a": 1},)
    assert parts["b"][0].arguments == ({"b": 2},)
    assert [operation.command for operation in parts["c"]] == ["put"]


def test_a_read_that_misses_its_share_is_refuted() -> None:
    history = [
        Operation("p", 0, 1, "put_all", ({"a": 1, "b": 2},), None),
        Operation("q", 2, 3, "get", ("a",), 1),
        Operation("q", 4, 5, "get", ("b",), None),
    ]
    assert check(history[:2], Registers()).linearizable is True
    verdict = check(history, Registers())
    assert verdict.linearizable is False
    assert verdict.counterexample is not None
    assert verdict.counterexample.key == "b"
