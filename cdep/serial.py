"""Who makes it one thread: commands and keys by their share of something, of the critical path or of the time waited."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cdep.critical_path import EVERYTHING, CriticalPath
from cdep.program import NOTHING, Program, Rules

EVERYTHING_NAME = ("everything", "")


@dataclass(frozen=True, slots=True)
class Share:
    """`domain` and `key` name a key, or `domain` alone a command (`key` is None).

    `share`: of what was asked. `of_commands`, `of_work`: of all.
    """

    domain: str
    key: str | None
    share: float
    of_commands: float
    of_work: float


def commands_on_path(program: Program, path: CriticalPath) -> list[Share]:
    """Each command by its share of the critical path, the greatest first."""
    return shares_of_commands(program, path.rows, path.costs_ns)


def keys_on_path(program: Program, rules: Rules, path: CriticalPath, top: int) -> list[Share]:
    """Keys by the share of the path that waited for them: what was executed because an earlier command had that key."""
    names, weights = path.through, path.costs_ns
    known = (names >= EVERYTHING) & (names < len(program.names))
    return _shares_of_keys(program, rules, names[known], weights[known], path.length_ns, top)


def shares_of_commands(program: Program, rows: NDArray[Any], weights: NDArray[Any]) -> list[Share]:
    """Each command by its share of weights given to rows, the greatest first; commands without any are left out."""
    kinds = len(program.service.commands)
    weight = np.bincount(program.op[rows], weights, kinds)
    counts = np.bincount(program.op, minlength=kinds)
    work = np.bincount(program.op, program.service_ns, kinds)
    total, all_work = float(weight.sum()) or 1.0, float(work.sum()) or 1.0
    found = [
        Share(
            command.name,
            None,
            float(weight[command.op]) / total,
            float(counts[command.op]) / max(1, program.count),
            float(work[command.op]) / all_work,
        )
        for command in program.service.commands
        if weight[command.op] > 0
    ]
    return sorted(found, key=lambda share: (-share.share, share.domain))


def shares_of_keys_at(
    program: Program, rules: Rules, rows: NDArray[Any], weights: NDArray[Any], top: int
) -> list[Share]:
    """Keys by the share of weights given to rows that touch them; a row of several keys counts for each of them."""
    names: list[NDArray[Any]] = [np.full(len(rows), EVERYTHING)[rules.whole[program.op[rows]] != NOTHING]]
    found: list[NDArray[Any]] = [weights[rules.whole[program.op[rows]] != NOTHING]]
    for place in range(rules.access.shape[1]):
        touched = (rules.whole[program.op[rows]] == NOTHING) & (rules.access[program.op[rows], place] != NOTHING)
        names.append(program.keys[rows[touched], place])
        found.append(weights[touched])
    return _shares_of_keys(program, rules, np.concatenate(names), np.concatenate(found), float(weights.sum()), top)


def _shares_of_keys(
    program: Program, rules: Rules, names: NDArray[Any], weights: NDArray[Any], total: float, top: int
) -> list[Share]:
    by_key = np.bincount(names + 1, weights, len(program.names) + 1)
    chosen = np.argsort(-by_key, kind="stable")[:top]
    counts, work = _touching(program, rules)
    all_work = float(program.service_ns.sum()) or 1.0
    return [
        Share(
            *_name(program.names, int(place) - 1),
            float(by_key[place]) / (total or 1.0),
            float(counts[place]) / max(1, program.count),
            float(work[place]) / all_work,
        )
        for place in chosen
        if by_key[place] > 0
    ]


def _touching(program: Program, rules: Rules) -> tuple[NDArray[Any], NDArray[Any]]:
    """How many commands touch each key, and what they cost; at place 0 those on everything."""
    size = len(program.names) + 1
    whole = rules.whole[program.op] != NOTHING
    counts, work = np.zeros(size), np.zeros(size)
    counts[0], work[0] = whole.sum(), program.service_ns[whole].sum()
    for place in range(rules.access.shape[1]):
        touched = ~whole & (rules.access[program.op, place] != NOTHING)
        numbers = program.keys[touched, place] + 1
        counts += np.bincount(numbers, minlength=size)
        work += np.bincount(numbers, program.service_ns[touched], size)
    return counts, work


def _name(names: Sequence[tuple[str, str]], number: int) -> tuple[str, str]:
    return EVERYTHING_NAME if number == EVERYTHING else names[number]
