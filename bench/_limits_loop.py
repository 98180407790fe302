"""Random commands on a credit matrix in one compiled loop, and a look at every limit that each may have touched."""

from __future__ import annotations

from typing import Any

import numpy as np

from apps.credit.codes import AMOUNT_MAX, CLIENTS, Answer
from apps.credit.service import ACTIVE, ALREADY_SUSPENDED, NOT_SUSPENDED, SUSPENDED, Credit
from cdep.compiled import compiled, inlined
from psmr.execution.dispatch import constructor
from psmr.state.frame import begin_command, end_command

COMMANDS = ("reserve", "release", "settle", "set_gross", "set_line", "suspend", "reinstate")
ANSWERS = max(Answer) + 1
EXCEEDED, CHANGED_BY_REFUSAL, SUM_WRONG, FAULTS = range(4)
"""What may be wrong: more used than a limit, or less than nothing; a refusal that changed something; use that is not the lines'."""

_machine = constructor(Credit)
_DONE = int(Answer.DONE)
_SHIFTS = np.uint64(13), np.uint64(7), np.uint64(17)


@inlined
def _next(random: Any) -> Any:
    """xorshift64."""
    random ^= random << _SHIFTS[0]
    random ^= random >> _SHIFTS[1]
    return random ^ (random << _SHIFTS[2])


@inlined
def _amount(random: Any, room: int) -> Any:
    """Mostly 1 … `room`; now and then nothing, less than nothing, too much, or the most there is."""
    kind = np.int64(random & np.uint64(63))
    size = np.int64((random >> np.uint64(8)) % np.uint64(room)) + 1
    if kind == 0:
        return 0
    if kind == 1:
        return -size
    if kind == 2:
        return AMOUNT_MAX + size
    if kind == 3:
        return 9_223_372_036_854_775_807
    return size


@inlined
def _is_exceeded(machine: Any, client: Any) -> Any:
    used = machine.clients.used[client]
    return used < 0 or used > machine.clients.limit[client]


@inlined
def _is_line_exceeded(machine: Any, line: Any) -> Any:
    used = machine.lines.used[line]
    return used < 0 or used > machine.lines.limit[line]


@inlined
def _fingerprint(machine: Any, one: Any, other: Any) -> Any:
    """Of all words that a command between two clients may change."""
    lines = one * CLIENTS + other, other * CLIENTS + one
    found = np.int64(0)
    for client in (one, other):
        found = found * 31 + machine.clients.limit[client]
        found = found * 31 + machine.clients.used[client]
        found = found * 31 + machine.clients.settled[client]
        found = found * 31 + machine.status[client]
    for line in lines:
        found = found * 31 + machine.lines.limit[line]
        found = found * 31 + machine.lines.used[line]
    return found


@inlined
def _execute(machine: Any, kind: Any, one: Any, other: Any, amount: Any) -> Any:
    if kind < 40:
        return machine._reserve(one, other, amount)
    if kind < 56:
        return machine._release(one, other, amount)
    if kind < 72:
        return machine._settle(one, other, amount)
    if kind < 82:
        return machine._set_gross(one, amount * 4)
    if kind < 97:
        return machine._set_line(one, other, amount)
    if kind < 98:
        return machine._turn(one, SUSPENDED, ALREADY_SUSPENDED)
    return machine._turn(one, ACTIVE, NOT_SUSPENDED)


@compiled
def work(frame: int, bases: Any, count: int, clients: int, room: int, seed: int, answers: Any, faults: Any) -> Any:
    """`count` commands among `clients` clients; `answers` counts replies, `faults` what was wrong. Where the generator stands."""
    machine = _machine(frame, bases)
    random = np.uint64(seed)
    for _ in range(count):
        random = _next(random)
        kind = np.int64((random >> np.uint64(32)) % np.uint64(100))
        random = _next(random)
        # One client more than there are limits for: it becomes known by a set_gross, or stays unknown.
        one = np.int64((random >> np.uint64(8)) % np.uint64(clients + 1))
        other = np.int64((random >> np.uint64(40)) % np.uint64(clients + 1))
        random = _next(random)
        amount = _amount(random, room)
        before = _fingerprint(machine, one, other)
        begin_command(frame)
        answer = _execute(machine, kind, one, other, amount)
        end_command(frame)
        answers[answer] += 1
        if answer != _DONE and _fingerprint(machine, one, other) != before:
            faults[CHANGED_BY_REFUSAL] += 1
        lines = _is_line_exceeded(machine, one * CLIENTS + other) or _is_line_exceeded(machine, other * CLIENTS + one)
        if lines or _is_exceeded(machine, one) or _is_exceeded(machine, other):
            faults[EXCEEDED] += 1
    return np.int64(random)


@compiled
def sweep(frame: int, bases: Any, clients: int, faults: Any) -> None:
    """Look at every client and every line: the limits hold, and what a client uses is the sum of what its lines do, both ways."""
    machine = _machine(frame, bases)
    for one in range(clients + 1):
        total = np.int64(0)
        for other in range(clients + 1):
            line = one * CLIENTS + other
            total += machine.lines.used[line]
            if _is_line_exceeded(machine, line):
                faults[EXCEEDED] += 1
            if machine.lines.used[line] != machine.lines.used[other * CLIENTS + one]:
                faults[SUM_WRONG] += 1
        if total != machine.clients.used[one]:
            faults[SUM_WRONG] += 1
        if _is_exceeded(machine, one):
            faults[EXCEEDED] += 1
