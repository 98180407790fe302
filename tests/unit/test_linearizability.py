"""The checker of histories: textbook cases, sessions, unknown outcomes, commands of all keys, size, time, messages."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from itertools import count
from random import Random
from typing import Any

import pytest

from psmr.checking import Operation, Verdict, check


class Store:
    """A key-value store. Its state is of one key (a value, None for absent) or of all (pairs), as `whole` says."""

    read_only = frozenset({"get", "size"})

    def __init__(self, *, whole: bool = False) -> None:
        self.whole = whole
        self.initial: Any = frozenset() if whole else None

    def step(self, state: Any, command: str, arguments: tuple[Any, ...]) -> tuple[Any, Any]:
        if self.whole:
            return self._step_whole(dict(state), command, arguments)
        if command == "clear":
            return None, 0
        return self._step_key(state, command, arguments)

    def key(self, command: str, arguments: tuple[Any, ...]) -> Hashable | None:
        return arguments[0] if arguments else None

    def _step_whole(self, values: dict[Any, Any], command: str, arguments: tuple[Any, ...]) -> tuple[Any, Any]:
        if command in ("size", "clear"):
            return frozenset() if command == "clear" else frozenset(values.items()), len(values)
        after, reply = self._step_key(values.get(arguments[0]), command, arguments)
        return frozenset((values | {arguments[0]: after}).items()), reply

    def _step_key(self, value: Any, command: str, arguments: tuple[Any, ...]) -> tuple[Any, Any]:
        return (value, value) if command == "get" else (arguments[1], None)


def put(process: str, called: int, returned: int | None, value: int, key: str = "x") -> Operation:
    return Operation(process, called, returned, "put", (key, value), None)


def get(process: str, called: int, returned: int | None, value: int | None, key: str = "x") -> Operation:
    return Operation(process, called, returned, "get", (key,), value)


def ask(*operations: Operation, **options: Any) -> Verdict:
    return check(operations, Store(whole=not options.get("partition", True)), **options)


def test_an_empty_history_is_linearizable() -> None:
    assert ask().linearizable is True
    assert ask(partition=False, session_order=True).linearizable is True


def test_a_read_sees_what_was_written_before() -> None:
    assert ask(put("a", 0, 1, 5), get("b", 2, 3, 5)).linearizable is True
    assert ask(put("a", 0, 1, 5), get("b", 2, 3, None)).linearizable is False


def test_a_read_that_overlaps_a_write_may_see_it_or_not() -> None:
    assert ask(put("a", 0, 9, 5), get("b", 2, 3, 5)).linearizable is True
    assert ask(put("a", 0, 9, 5), get("b", 2, 3, None)).linearizable is True


def test_two_reads_may_not_go_back() -> None:
    assert ask(put("a", 0, 9, 5), get("b", 1, 2, 5), get("c", 3, 4, None)).linearizable is False


def test_equal_times_are_in_no_order() -> None:
    assert ask(put("a", 0, 2, 5), get("b", 2, 3, None)).linearizable is True


def test_equal_times_of_one_process_are_in_no_order() -> None:
    assert ask(put("a", 0, 2, 5), get("a", 2, 3, None)).linearizable is True


def test_the_same_operations_in_another_state_are_searched_again() -> None:
    class Unhelpful(Store):
        read_only = frozenset[str]()

    # Tried first: 1, then 2, from where nothing explains the read; the other order stands at the same place, on 1.
    history = [put("a", 0, 5, 1), put("b", 0, 6, 2), put("a", 7, 9, 7), put("b", 7, 9, 8), get("c", 7, 9, 1)]
    assert check(history, Unhelpful()).linearizable is True


def test_a_write_that_changes_nothing_now_may_be_needed_later() -> None:
    # Were the second `put 5` placed on the first at once, nothing could explain the last read.
    history = [put("a", 0, 1, 5), put("b", 2, 9, 5), put("c", 2, 3, 7), get("d", 4, 5, 7), get("d", 6, 7, 5)]
    assert ask(*history).linearizable is True


def test_an_unknown_write_may_take_effect_late_or_never() -> None:
    lost = put("a", 0, None, 5)
    assert ask(lost, get("b", 50, 51, None), get("b", 60, 61, 5)).linearizable is True
    assert ask(lost, get("b", 50, 51, None)).linearizable is True
    assert ask(lost, get("b", 50, 51, 5), get("b", 60, 61, None)).linearizable is False


def test_an_unknown_write_does_not_take_effect_before_its_call() -> None:
    assert ask(get("b", 0, 1, 5), put("a", 2, None, 5)).linearizable is False


PIPELINED = [put("a", 0, 9, 1), put("a", 0, 9, 2), get("b", 10, 11, 1)]


def test_a_session_keeps_its_order_only_where_asked() -> None:
    assert check(PIPELINED, Store()).linearizable is True
    assert check(PIPELINED, Store(), session_order=True).linearizable is False
    assert check([*PIPELINED[:2], get("b", 10, 11, 2)], Store(), session_order=True).linearizable is True


def test_a_lost_command_of_a_session_is_before_its_next_or_never() -> None:
    history = [put("a", 0, None, 1), put("a", 0, 9, 2), get("b", 10, 11, 1)]
    assert ask(*history).linearizable is True
    assert ask(*history, session_order=True).linearizable is False
    assert ask(*history[:2], get("b", 10, 11, 2), session_order=True).linearizable is True


def test_a_batch_need_not_stay_whole() -> None:
    # What the search tries first must not be all it tries.
    between = [put("a", 0, 9, 1), put("a", 0, 9, 2), get("b", 0, 9, 1), get("c", 10, 11, 2)]
    assert ask(*between, session_order=True).linearizable is True


def test_a_sessions_order_across_keys_shows_only_in_the_whole() -> None:
    # Each key alone is well; together they say: x before y before x.
    history = [
        put("a", 0, 9, 1, "x"),
        get("a", 0, 9, None, "y"),
        put("b", 0, 9, 1, "y"),
        get("b", 0, 9, None, "x"),
    ]
    assert ask(*history, session_order=True).linearizable is True
    assert ask(*history, session_order=True, partition=False).linearizable is False


CLEAR = Operation("a", 2, 3, "clear", (), 1)


def test_a_clear_clears_every_key() -> None:
    verdict = ask(put("a", 0, 1, 5), CLEAR, get("a", 4, 5, 5))
    assert verdict.linearizable is False
    verdict = ask(put("a", 0, 1, 5), CLEAR, get("a", 4, 5, None), get("a", 4, 5, None, "y"))
    assert (verdict.linearizable, verdict.parts, verdict.replies_unchecked) == (True, 2, 1)
    assert "replies of 1 operations that write every key not checked" in verdict.text()


def test_a_clear_may_be_called_before_a_key_is_first_seen() -> None:
    long_clear = Operation("a", 0, 10, "clear", (), 1)
    assert ask(long_clear, put("b", 1, 2, 5), get("b", 3, 4, None)).linearizable is True


def test_the_reply_of_a_clear_is_checked_in_the_whole() -> None:
    history = [put("a", 0, 1, 5), CLEAR._replace(reply=7)]
    assert ask(*history).linearizable is True
    assert ask(*history, partition=False).linearizable is False


def test_a_clear_keeps_its_place_in_its_batch() -> None:
    batch = [CLEAR, put("a", 2, 3, 5), get("b", 4, 5, 5)]
    assert ask(*batch, session_order=True).linearizable is True
    assert ask(put("b", 0, 1, 4), batch[1], CLEAR, batch[2], session_order=True).linearizable is False


def test_a_size_is_left_out_and_counted() -> None:
    history = [put("a", 0, 1, 5), Operation("a", 2, 3, "size", (), 99)]
    verdict = ask(*history)
    assert (verdict.linearizable, verdict.left_out) == (True, 1)
    assert "1 operations that read every key left out" in verdict.text()
    assert ask(*history, partition=False).linearizable is False


def test_a_history_without_any_key_is_checked_whole() -> None:
    history = [Operation("a", 0, 1, "clear", (), 0), Operation("a", 2, 3, "size", (), 1)]
    verdict = check(history, Store(whole=True))
    assert (verdict.linearizable, verdict.left_out, verdict.replies_unchecked) == (False, 0, 0)


def test_a_counterexample_shows_the_longest_order_and_what_cannot_follow() -> None:
    verdict = ask(put("a", 0, 1, 5), get("b", 2, 3, 5), get("b", 4, 5, 7), put("c", 4, 6, 6), put("a", 0, 1, 1, "y"))
    found = verdict.counterexample
    assert found is not None
    assert (found.key, found.operations, found.state) == ("x", 4, 6)
    assert found.prefix == (put("a", 0, 1, 5), get("b", 2, 3, 5), put("c", 4, 6, 6))
    assert found.unplaceable == ((get("b", 4, 5, 7), 6),)
    assert verdict.text().splitlines() == [
        "NOT linearizable: 5 operations, 2 keys",
        "key 'x': 3 of 4 operations have an order, which none can follow",
        "  placed: process a [0, 1] us: put('x', 5) → None",
        "  placed: process b [2, 3] us: get('x') → 5",
        "  placed: process c [4, 6] us: put('x', 6) → None",
        "  state then: 6",
        "  cannot follow: process b [4, 5] us: get('x') → 7, where the model replies 6",
    ]


def test_a_long_counterexample_shows_its_end() -> None:
    history = [put("a", 2 * place, 2 * place + 1, place) for place in range(20)]
    verdict = ask(*history, get("a", 100, 101, 3))
    assert "  (12 operations before these)" in verdict.text()
    assert verdict.text().count("placed:") == 8


def test_an_unknown_outcome_is_shown_as_such() -> None:
    assert put("a", 0, None, 5).text() == "process a [0, ?] us: put('x', 5) → unknown"


def test_a_return_before_the_call_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected a return after the call, found process a \[5, 4\] us"):
        ask(put("a", 5, 4, 1))


def test_a_session_out_of_order_is_refused() -> None:
    history = [put("a", 5, 6, 1), put("a", 0, 1, 1)]
    assert ask(*history).linearizable is True
    with pytest.raises(ValueError, match="expected the operations of a process in the order of their calls"):
        ask(*history, session_order=True)


def hard_history(writes: int = 24) -> list[Operation]:
    """No order, and nothing to tell it by before all of `writes` concurrent writes have been tried in many orders."""
    return [put(str(value), 0, 100, value) for value in range(writes)] + [
        get("r", 200, 201, 0),
        get("r", 202, 203, 1),
    ]


def ticking() -> Any:
    times: Iterator[int] = count()
    return lambda: next(times)


def test_time_that_runs_out_leaves_it_undecided() -> None:
    verdict = ask(*hard_history(), put("a", 0, 1, 1, "y"), timeout_s=12, clock_s=ticking())
    assert (verdict.linearizable, verdict.parts_unfinished, verdict.counterexample) == (None, 1, None)
    assert verdict.text().startswith("undecided: 27 operations, 2 keys; time ran out for 1 of the keys")


class Everything:
    """A state that says all that was done, in which order: every state is new. Gives up rather than be asked for ever."""

    initial: tuple[Any, ...] = ()
    read_only = frozenset[str]()

    def __init__(self) -> None:
        self.asked = 0

    def step(self, state: Any, command: str, arguments: tuple[Any, ...], /) -> tuple[Any, Any]:
        self.asked += 1
        assert self.asked < 100_000, "the search has not looked at the clock"
        return ((*state, arguments), None) if command == "put" else (state, "never")

    def key(self, command: str, arguments: tuple[Any, ...], /) -> None:
        return None


def test_time_runs_out_though_every_state_is_new() -> None:
    history = [put(str(value), 0, 100, value) for value in range(24)] + [get("r", 200, 201, 0)]
    assert check(history, Everything(), timeout_s=12, clock_s=ticking()).linearizable is None


def test_no_time_at_all_leaves_all_undecided() -> None:
    verdict = ask(put("a", 0, 1, 1), put("a", 0, 1, 1, "y"), timeout_s=0, clock_s=lambda: 0.0)
    assert (verdict.linearizable, verdict.parts_unfinished) == (None, 2)


def test_a_key_that_refutes_is_found_though_another_runs_out_of_time() -> None:
    fault = [get("b", place, place, None, "y") for place in range(30)] + [get("b", 40, 41, 9, "y")]
    verdict = ask(*hard_history(), *fault, timeout_s=1000, clock_s=ticking())
    assert verdict.linearizable is False
    assert verdict.counterexample is not None
    assert verdict.counterexample.key == "y"


def engine_history(
    random: Random, batches: int, *, processes: int = 4, window: int = 8, size: int = 16
) -> list[Operation]:
    """What sessions see of an engine that executes whole batches one after another, with `window` under way in each."""
    values: dict[str, int] = {}
    returns: list[list[int]] = [[0] * window for _ in range(processes)]
    history = []
    now = 0
    for _ in range(batches):
        process = random.randrange(processes)
        called = returns[process].pop(0)
        now = max(now + 10, called + 1)
        returned = max(now, *returns[process], 0) + random.randrange(25)
        returns[process].append(returned)
        for _ in range(size):
            key = random.choice("xxxxyz")
            if random.random() < 0.5:
                values[key] = random.randrange(100)
                history.append(put(str(process), called, returned, values[key], key))
            else:
                history.append(get(str(process), called, returned, values.get(key), key))
    return history


@pytest.mark.parametrize("session_order", [True, False])
def test_pipelined_batches_need_no_exponential_time(session_order: bool) -> None:
    # Up to 512 operations of a few keys overlap. The clock ticks once in a thousand steps of the search.
    history = engine_history(Random(1), batches=400)
    verdict = ask(*history, session_order=session_order, timeout_s=200, clock_s=ticking())
    assert verdict.linearizable is True


def test_one_wrong_reply_among_many_is_found() -> None:
    history = engine_history(Random(2), batches=400, window=1)
    place = next(place for place in range(3000, 6400) if history[place].command == "get")
    history[place] = history[place]._replace(reply=-1)
    verdict = ask(*history, session_order=True, timeout_s=1000, clock_s=ticking())
    assert verdict.linearizable is False
    assert verdict.counterexample is not None
    assert history[place] in [operation for operation, _ in verdict.counterexample.unplaceable]


def test_a_fault_that_cannot_be_proven_in_time_is_suspected() -> None:
    history = engine_history(Random(3), batches=400)
    place = next(place for place in range(3000, 6400) if history[place].command == "get")
    history[place] = history[place]._replace(reply=-1)
    verdict = ask(*history, session_order=True, timeout_s=100, clock_s=ticking())
    assert verdict.linearizable is None
    assert verdict.suspicion is not None
    assert verdict.suspicion.key == history[place].arguments[0]
    assert "\nsuspected, not proven: key " in verdict.text()
