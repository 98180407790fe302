"""Whether the engine met the same resting orders as the market that a file was recorded at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from apps.book.lobster import Messages
from apps.book.replay import TAKING_ORDERS, Execution, FileReplay
from psmr.workload import Judgement, Told

SAME_SHARE_MIN = 0.99
MEANINGS = {
    "unknown_order": "hit an order that the file did not submit, or less of it was left",
    "out_of_priority": "left price-time priority by the file's own account",
    "another_order": "met another resting order than the file's",
    "not_filled": "met no order at its price",
    "not_executed": "was not executed, though later lines were",
}
"""The classes of executions that differ."""

_AGAINST, _TAKER = 7, 4
"""Places of the resting and of the incoming order among the fields of `filled`."""


class ExecutionJudge:
    """Compares, execution by execution, up to the last line that was executed."""

    def __init__(self, executions: Mapping[int, Execution]) -> None:
        self._executions = executions
        self._met: dict[int, list[int]] = {}

    def see(self, command: str, arguments: Sequence[Any], reply: Any, events: Sequence[Told]) -> None:
        """Note which resting orders an execution's order met."""
        if command != "limit" or arguments[2] <= TAKING_ORDERS:
            return
        met = [values[_AGAINST] for name, values in events if name == "filled" and values[_TAKER] == arguments[2]]
        self._met[arguments[2] - TAKING_ORDERS] = met

    def judgement(self) -> Judgement:
        """Holds when the file's own account explains each that differs and, at its end, SAME_SHARE_MIN are the same."""
        last = max(self._met, default=0)
        compared = {line: execution for line, execution in self._executions.items() if line <= last}
        mismatches: Counter[str] = Counter()
        for line, execution in compared.items():
            difference = self._difference(line, execution)
            if difference:
                mismatches[difference] += 1
        same = len(compared) - mismatches.total()
        explained = set(mismatches) <= {"unknown_order", "out_of_priority"}
        is_whole = len(compared) == len(self._executions)
        holds = explained and (same >= SAME_SHARE_MIN * len(compared) or not is_whole)
        classes = ", ".join(f"{count} {name} ({MEANINGS[name]})" for name, count in sorted(mismatches.items()))
        return Judgement(
            holds,
            {
                "executions_compared": len(compared),
                "same_resting_order": same,
                "mismatches": dict(sorted(mismatches.items())),
            },
            f"{same:,} of {len(compared):,} executions met the file's resting order; {classes or 'none differs'}",
        )

    def _difference(self, line: int, execution: Execution) -> str:
        """The class of what differs, or ""."""
        met = self._met.get(line)
        if met == [execution.order]:
            return ""
        if execution.unsent:
            return execution.unsent
        if met is None:
            return "not_executed"
        return "another_order" if met else "not_filled"


def judge_of_file(messages: Messages, *, departures: str) -> ExecutionJudge:
    """The judge of a file's replay."""
    replay = FileReplay(departures=departures)
    for _ in replay.calls(messages):
        pass
    return ExecutionJudge(replay.executions)
