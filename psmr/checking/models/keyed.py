"""Many of one thing, by key; and the key-value store, which is that."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from typing import Any

from psmr.checking.history import Operation
from psmr.checking.models.meaning import Meant, OneState, no_such, pair
from psmr.checking.models.registers import Unmet

_FS = "append, get, put"


class Keyed:
    """One `part` a key.

    Its state is that of one part; as a `whole`, the set of (key, state) of all that were changed.
    """

    def __init__(self, part: Any, *, whole: bool = False) -> None:
        self._part = part
        self._whole = whole
        self.initial: Any = frozenset[tuple[Any, Any]]() if whole else part.initial

    @property
    def read_only(self) -> Collection[str]:
        """Those of the part."""
        names: Collection[str] = self._part.read_only
        return names

    @property
    def foresees(self) -> bool:
        """As `Foreseeing` has it."""
        return bool(getattr(self._part, "foresees", False))

    @property
    def begins_anew(self) -> Collection[str]:
        """As `Foreseeing` has it."""
        names: Collection[str] = self._part.begins_anew
        return names

    def leads(self, state: Any, command: str, arguments: tuple[Any, ...], reply: Any, /) -> bool:
        """As `Foreseeing` has it."""
        before = self._taken_out(state, arguments[0])[0] if self._whole else state
        return bool(self._part.leads(before, command, arguments[1:], reply))

    def contributes(self, write: Operation, read: Operation, /) -> bool:
        """As `Foreseeing` has it, of operations on one key."""
        return bool(self._part.contributes(write.arguments[1:], read.reply))

    def step(self, state: Any, command: str, arguments: tuple[Any, ...], /) -> tuple[Any, Any]:
        """The state after `command` on the key `arguments[0]`, and its reply."""
        if not self._whole:
            stepped: tuple[Any, Any] = self._part.step(state, command, arguments[1:])
            return stepped
        before, rest = self._taken_out(state, arguments[0])
        after, reply = self._part.step(before, command, arguments[1:])
        return self._put_back(rest, arguments[0], after), reply

    def _taken_out(self, state: frozenset[tuple[Any, Any]], key: Any) -> tuple[Any, frozenset[tuple[Any, Any]]]:
        held = next((pair for pair in state if pair[0] == key), None)
        return (held[1], state - {held}) if held else (self._part.initial, state)

    def _put_back(self, rest: frozenset[tuple[Any, Any]], key: Any, after: Any) -> frozenset[tuple[Any, Any]]:
        return rest if after == self._part.initial else rest | {(key, after)}

    def key(self, command: str, arguments: tuple[Any, ...], /) -> Hashable | None:
        """The key."""
        key: Hashable = arguments[0]
        return key

    def meant(self, f: str, called: Any, answered: Any, is_known: bool, /) -> Meant:
        """As the part has it, of the value in `[key value]`."""
        key, value = pair(called, f"[key value] as :value of {f}")
        if is_known:
            answered = pair(answered, f"[key value] as :value of the answer to {f}")[1]
        meant: Meant = self._part.meant(f, value, answered, is_known)
        return meant._replace(arguments=(key, *meant.arguments))


class Cell(OneState):
    """What a key holds: nothing (nil, or the empty string), a string that `append` makes longer, or elements."""

    read_only = frozenset({"get"})
    foresees = True
    begins_anew = frozenset({"put"})

    def __init__(self, initial: Any = None) -> None:
        self.initial = initial or None

    def step(self, state: Any, command: str, arguments: tuple[Any, ...], /) -> tuple[Any, Any]:
        """The state after `command`, and its reply."""
        if command == "get":
            return state, state
        value = arguments[0]
        if command == "put":
            return value, None
        if isinstance(value, str) and (state is None or isinstance(state, str)):
            return (state or "") + value or None, None
        if state is None or isinstance(state, tuple):
            return (*(state or ()), value), None
        return state, Unmet(state)

    def leads(self, state: Any, command: str, arguments: tuple[Any, ...], reply: Any, /) -> bool:
        """Whether `reply` begins with what is held: appends only make it longer."""
        if state is None or state == reply:
            return True
        if isinstance(state, str):
            return isinstance(reply, str) and reply.startswith(state)
        return isinstance(state, tuple) and isinstance(reply, tuple) and reply[: len(state)] == state

    def contributes(self, appended: tuple[Any, ...], reply: Any, /) -> bool:
        """Whether what is appended is to be found in `reply`."""
        value = appended[0]
        if isinstance(reply, str):
            return isinstance(value, str) and value in reply
        return isinstance(reply, tuple) and value in reply

    def meant(self, f: str, called: Any, answered: Any, is_known: bool, /) -> Meant:
        """As `RecordedModel` has it."""
        if f == "get":
            return Meant(f, (), answered or None if isinstance(answered, str | tuple) else answered)
        if f not in ("append", "put"):
            raise no_such(f, "kv", _FS)
        return Meant(f, (called or None if f == "put" and isinstance(called, str | tuple) else called,), None)
