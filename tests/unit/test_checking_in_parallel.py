"""Keys searched in several processes: the same verdict and counterexample as in one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from psmr.checking import Operation, check, linearizability, parallel
from psmr.checking.models.keyed import keyed
from psmr.checking.models.registers import CasRegister


def hard(key: str, writes: int, last: int) -> list[Operation]:
    """Too much for a first look: `writes` at once, and two reads after them."""
    found = [Operation(f"{key}{value}", 0, 100, "write", (key, value), None) for value in range(writes)]
    reads = [Operation(f"{key}r", at, at + 1, "read", (key,), last) for at in (200, 202)]
    return [*found, reads[0], reads[1]._replace(reply=reads[1].reply if last else writes)]


@pytest.mark.parametrize("wrong", ["", "abc", "bc", "c"])
def test_the_verdict_and_the_counterexample_are_those_of_one_process(
    wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched = Counter[int]()

    def counted(task: parallel.Task, jobs: int) -> Any:
        searched[len(task.parts)] += 1
        return parallel.search_apart(task, jobs)

    monkeypatch.setattr(linearizability, "search_apart", counted)
    history = [one for key in "abc" for one in hard(key, 11, 0 if key in wrong else 4)]
    alone = check(history, keyed(CasRegister()))
    apart = check(history, keyed(CasRegister()), jobs=2)
    assert list(searched) == ([len(wrong)] if len(wrong) > 1 else [])
    assert alone.linearizable is apart.linearizable is (not wrong)
    assert alone.counterexample == apart.counterexample


def test_time_runs_out_in_the_other_processes_too() -> None:
    times: Iterator[int] = count()
    clock: Any = lambda: next(times)  # noqa: E731 - a clock that any process reads on its own
    history = [one for key in "ab" for one in hard(key, 30, 0)]
    verdict = check(history, keyed(CasRegister()), jobs=2, timeout_s=30, clock_s=clock)
    assert (verdict.linearizable, verdict.parts_unfinished) == (None, 2)
