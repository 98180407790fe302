"""What the key-value stores mean: a dict."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any


class KeyValueModel:
    """Both stores in plain sequential Python."""

    def __init__(self) -> None:
        self.table: dict[Any, Any] = {}
        self._commands: dict[str, Callable[..., Any]] = {
            "get": self.table.get,
            "put": self._put,
            "delete": self._delete,
            "compare_and_set": self._compare_and_set,
            "clear": self._clear,
            "size": self._size,
        }

    def apply(self, command: str, arguments: Sequence[Any]) -> Any:
        """Execute one call."""
        return self._commands[command](*arguments)

    def state(self) -> dict[str, Any]:
        """The table."""
        return {"table": self.table}

    def _put(self, key: Any, value: Any) -> bool:
        is_new = key not in self.table
        self.table[key] = value
        return is_new

    def _delete(self, key: Any) -> bool:
        return self.table.pop(key, None) is not None

    def _compare_and_set(self, key: Any, expected: Any, value: Any) -> bool:
        if self.table.get(key) != expected:
            return False
        self.table[key] = value
        return True

    def _clear(self) -> int:
        removed = len(self.table)
        self.table.clear()
        return removed

    def _size(self) -> int:
        return len(self.table)


State = frozenset[tuple[Hashable, Any]]


class KeyValueMeaning:
    """The same for `psmr.checking`, key by key: a state is the set of (key, value)."""

    initial: State = frozenset()
    read_only = frozenset({"get", "size"})

    def step(self, state: State, command: str, arguments: tuple[Any, ...], /) -> tuple[State, Any]:
        """The state after a call, and the call's reply."""
        if command == "clear":
            return self.initial, len(state)
        if command == "size":
            return state, len(state)
        key = arguments[0]
        held = next((pair for pair in state if pair[0] == key), None)
        if command == "get":
            return state, held[1] if held else None
        rest = state - {held} if held else state
        if command == "delete":
            return rest, held is not None
        if command == "put":
            return rest | {(key, arguments[1])}, held is None
        if held is None or held[1] != arguments[1]:
            return state, False
        return rest | {(key, arguments[2])}, True

    def key(self, command: str, arguments: tuple[Any, ...], /) -> Hashable | None:
        """The key; clear and size have none."""
        return arguments[0] if arguments else None
