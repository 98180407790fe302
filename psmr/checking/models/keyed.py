"""Many of one thing, by key; and the key-value store, which is that."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable
from typing import Any

from psmr.checking.foresight import Call, Reach, by_beginning, foresees
from psmr.checking.models.meaning import Meant, OneState, no_such, pair
from psmr.checking.models.registers import Unmet

_FS = "append, get, put"


class Keyed:
    """One `part` a key. Its state is that of one part."""

    def __init__(self, part: Any) -> None:
        self._part = part
        self.initial: Any = part.initial

    @property
    def read_only(self) -> Collection[str]:
        """Those of the part."""
        names: Collection[str] = self._part.read_only
        return names

    def step(self, state: Any, command: str, arguments: tuple[Any, ...], /) -> tuple[Any, Any]:
        """The state after `command` on the key `arguments[0]`, and its reply."""
        stepped: tuple[Any, Any] = self._part.step(state, command, arguments[1:])
        return stepped

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


class ForeseeingKeyed(Keyed):
    """One of a part that is `Foreseeing`."""

    @property
    def begins_anew(self) -> Collection[str]:
        """Those of the part."""
        names: Collection[str] = self._part.begins_anew
        return names

    def reach(self, writes: Iterable[Call], replies: Collection[Any], /) -> Reach | None:
        """As the part has it, of all keys."""
        reach: Reach | None = self._part.reach([(command, arguments[1:]) for command, arguments in writes], replies)
        return reach

    def contributes(self, arguments: tuple[Any, ...], reply: Any, /) -> bool:
        """As the part has it."""
        return bool(self._part.contributes(arguments[1:], reply))


class Whole(Keyed):
    """One part a key, all in one: its state is the set of (key, state) of all that were changed."""

    def __init__(self, part: Any) -> None:
        super().__init__(part)
        self.initial = frozenset[tuple[Any, Any]]()

    def of_one_cell(self) -> Keyed:
        """As `OfCells` has it."""
        return keyed(self._part)

    def step(self, state: Any, command: str, arguments: tuple[Any, ...], /) -> tuple[Any, Any]:
        """The state after `command` on the key `arguments[0]`, and its reply."""
        before, rest = self._taken_out(state, arguments[0])
        after, reply = self._part.step(before, command, arguments[1:])
        return self._put_back(rest, arguments[0], after), reply

    def _taken_out(self, state: frozenset[tuple[Any, Any]], key: Any) -> tuple[Any, frozenset[tuple[Any, Any]]]:
        held = next((pair for pair in state if pair[0] == key), None)
        return (held[1], state - {held}) if held else (self._part.initial, state)

    def _put_back(self, rest: frozenset[tuple[Any, Any]], key: Any, after: Any) -> frozenset[tuple[Any, Any]]:
        return rest if after == self._part.initial else rest | {(key, after)}


def keyed(part: Any, *, whole: bool = False) -> Keyed:
    """One of `part` for each key; as a `whole`, in one state."""
    if whole:
        return Whole(part)
    return ForeseeingKeyed(part) if foresees(part) else Keyed(part)


class Cell(OneState):
    """What a key holds: nothing (nil, or the empty string), a string that `append` makes longer, or elements."""

    read_only = frozenset({"get"})
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

    def reach(self, writes: Iterable[Call], replies: Collection[Any], /) -> Reach | None:
        """As `Foreseeing` has it: appends only make it longer. None where strings and elements are mixed."""
        writes = list(writes)
        values = [*(arguments[0] for _, arguments in writes), *replies, self.initial]
        if all(value is None or isinstance(value, str) for value in values):
            return by_beginning(replies, lambda held: held or "")
        held = [arguments[0] for command, arguments in writes if command == "put"]
        appended = [arguments[0] for command, arguments in writes if command == "append"]
        if not all(value is None or isinstance(value, tuple) for value in (*held, *replies, self.initial)):
            return None
        if any(isinstance(value, str) for value in appended):
            return None
        numbers: dict[Any, int] = {}
        return by_beginning(replies, lambda held: tuple(numbers.setdefault(each, len(numbers)) for each in held or ()))

    def contributes(self, arguments: tuple[Any, ...], reply: Any, /) -> bool:
        """Whether what is appended is to be found in `reply`; nothing, appended, is in all."""
        value = arguments[0]
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
