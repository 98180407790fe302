"""The checker against one that tries every order: they agree on all small histories."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from itertools import combinations, permutations
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st

from psmr.checking import Model, Operation, check

SETTINGS = settings(max_examples=100, deadline=None)


class Register:
    """A key-value store with values 0 to 2, of which a command touches one key, or all."""

    initial: tuple[tuple[str, int], ...] = ()
    read_only = frozenset({"get", "size"})

    def step(self, state: tuple[tuple[str, int], ...], command: str, arguments: tuple[Any, ...]) -> tuple[Any, Any]:
        values = dict(state)
        if command == "size":
            return state, len(values)
        if command == "clear":
            return (), len(values)
        key = arguments[0]
        before = values.get(key, 0)
        if command == "get":
            return state, before
        if command == "put":
            values[key] = arguments[1]
            reply = None
        elif command == "add":
            values[key] = reply = (before + arguments[1]) % 3
        else:
            reply = before == arguments[1]
            values[key] = arguments[2] if reply else before
        return tuple(sorted(values.items())), reply

    def key(self, command: str, arguments: tuple[Any, ...]) -> Hashable | None:
        return arguments[0] if arguments else None


MODEL = Register()

VALUES = st.integers(0, 2)
PROCESSES = st.sampled_from("abc")


def commands(keys: str, *, of_all_keys: bool) -> st.SearchStrategy[tuple[str, tuple[Any, ...]]]:
    key = st.sampled_from(keys)
    kinds = [
        st.tuples(st.just("get"), st.tuples(key)),
        st.tuples(st.just("put"), st.tuples(key, VALUES)),
        st.tuples(st.just("add"), st.tuples(key, VALUES)),
        st.tuples(st.just("cas"), st.tuples(key, VALUES, VALUES)),
    ]
    if of_all_keys:
        kinds += [st.just(("clear", ())), st.just(("size", ()))]
    return st.one_of(kinds)


@st.composite
def histories(draw: st.DrawFn, keys: str = "x", *, of_all_keys: bool = False) -> list[Operation]:
    """Small histories, about half of them linearizable: replies come from some order, then one may be changed."""
    calls = []
    for _ in range(draw(st.integers(1, 6))):
        start, point, end = sorted(draw(st.tuples(*[st.integers(0, 12)] * 3)))
        calls.append((start, point, end, draw(PROCESSES), draw(commands(keys, of_all_keys=of_all_keys))))
    calls.sort(key=lambda call: call[1])
    state: Any = MODEL.initial
    operations = []
    for start, _, end, process, (command, arguments) in calls:
        outcome = draw(st.sampled_from(["known", "known", "known", "done", "lost"]))
        after, reply = MODEL.step(state, command, arguments)
        state = state if outcome == "lost" else after
        returned = end if outcome == "known" else None
        operations.append(Operation(process, start, returned, command, arguments, reply))
    if draw(st.booleans()):
        place = draw(st.integers(0, len(operations) - 1))
        operations[place] = operations[place]._replace(reply=draw(st.sampled_from([None, True, False, 0, 1, 2])))
    return sorted(operations, key=lambda operation: operation.invoked_us)


def has_an_order(operations: list[Operation], model: Model, *, session_order: bool = False) -> bool:
    """Whether any order of any choice of the unknown operations explains the history: by trying them all."""
    return any(
        _explains(order, model)
        for chosen in _choices(operations)
        for order in permutations(chosen)
        if _respects_time(order) and (not session_order or _respects_sessions(order))
    )


def _choices(operations: list[Operation]) -> Iterator[list[tuple[int, Operation]]]:
    known = [(place, one) for place, one in enumerate(operations) if one.returned_us is not None]
    unknown = [(place, one) for place, one in enumerate(operations) if one.returned_us is None]
    for count in range(len(unknown) + 1):
        for some in combinations(unknown, count):
            yield known + list(some)


def _respects_time(order: tuple[tuple[int, Operation], ...]) -> bool:
    return not any(
        later.returned_us is not None and later.returned_us < earlier.invoked_us
        for (_, earlier), (_, later) in combinations(order, 2)
    )


def _respects_sessions(order: tuple[tuple[int, Operation], ...]) -> bool:
    return not any(
        earlier.process == later.process and place > next_place
        for (place, earlier), (next_place, later) in combinations(order, 2)
    )


def _explains(order: tuple[tuple[int, Operation], ...], model: Model) -> bool:
    state = model.initial
    for _, operation in order:
        state, reply = model.step(state, operation.command, operation.arguments)
        if operation.returned_us is not None and reply != operation.reply:
            return False
    return True


@SETTINGS
@given(histories())
def test_intervals(operations: list[Operation]) -> None:
    expected = has_an_order(operations, MODEL)
    event(f"linearizable: {expected}")
    assert check(operations, MODEL).linearizable is expected


@SETTINGS
@given(histories())
def test_sessions(operations: list[Operation]) -> None:
    expected = has_an_order(operations, MODEL, session_order=True)
    event(f"linearizable: {expected}")
    assert check(operations, MODEL, session_order=True).linearizable is expected


@SETTINGS
@given(histories("xy"))
def test_by_key_decides_the_whole(operations: list[Operation]) -> None:
    expected = has_an_order(operations, MODEL)
    assert check(operations, MODEL).linearizable is expected
    assert check(operations, MODEL, partition=False).linearizable is expected


@SETTINGS
@given(histories("xy", of_all_keys=True), st.booleans())
def test_by_key_never_refutes_wrongly(operations: list[Operation], session_order: bool) -> None:
    expected = has_an_order(operations, MODEL, session_order=session_order)
    assert check(operations, MODEL, session_order=session_order, partition=False).linearizable is expected
    if expected:
        assert check(operations, MODEL, session_order=session_order).linearizable is True


@SETTINGS
@given(histories(), st.booleans())
def test_a_counterexample_is_true(operations: list[Operation], session_order: bool) -> None:
    found = check(operations, MODEL, session_order=session_order).counterexample
    if found is None:
        return
    numbered = tuple((operations.index(operation), operation) for operation in found.prefix)
    assert _respects_time(numbered)
    assert _explains(numbered, MODEL)
    assert len(found.prefix) < len(operations)
    for operation, model_reply in found.unplaceable:
        assert operation not in found.prefix or operations.count(operation) > 1
        assert MODEL.step(found.state, operation.command, operation.arguments)[1] == model_reply
