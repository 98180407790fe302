"""Is a credit limit ever exceeded? Ten million random commands, the limits looked at after each of them.

The compiled handlers of the credit matrix are called in one loop. After each command the limits of both clients and of the lines
between them are compared with what is used, and a refusal must have left all of that as it was; after each round everything is
looked at: every client, every line, and that what a client uses is the sum of what its lines do. Amounts are drawn so
that the limits are nearly used up all the time; some are zero, negative or too large.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from apps.credit.codes import Answer
from apps.credit.service import Credit
from bench._limits_loop import ANSWERS, CHANGED_BY_REFUSAL, EXCEEDED, FAULTS, SUM_WRONG, sweep, work
from bench._machine import machine
from cdep import service_of
from proxies.layout import layout_of
from psmr.execution.memory import Memory

QUESTION = "is a credit limit ever exceeded?"
COMMANDS = 10_000_000
COMMANDS_QUICK = 200_000
ROUNDS = 100
CLIENTS = 60
ROOM = 500
SEED = 88_172_645_463_325_252


def run(quick: bool, say: Callable[[str], None]) -> dict[str, Any]:
    """All rounds; the answers and the faults that were counted."""
    each = (COMMANDS_QUICK if quick else COMMANDS) // ROUNDS
    memory = Memory(Credit, layout_of(service_of(Credit)), 1, 1 << 16)
    frame, bases = memory.frames[0], memory.bases
    answers, faults = np.zeros(ANSWERS, np.int64), np.zeros(FAULTS, np.int64)
    seed = work(frame, bases, 0, CLIENTS, ROOM, SEED, answers, faults)
    sweep(frame, bases, CLIENTS, faults)
    spent_ns = 0
    for done in range(1, ROUNDS + 1):
        began_ns = time.process_time_ns()
        seed = work(frame, bases, each, CLIENTS, ROOM, seed, answers, faults)
        sweep(frame, bases, CLIENTS, faults)
        spent_ns += time.process_time_ns() - began_ns
        if done % (ROUNDS // 5) == 0:
            say(f"{done * each:,} commands, {int(faults.sum())} faults")
    return {
        "bench": "limits",
        "question": QUESTION,
        "machine": machine(),
        "commands": each * ROUNDS,
        "cpu_s": round(spent_ns / 1e9, 2),
        "answers": {answer.name.lower(): int(answers[answer]) for answer in Answer},
        "exceeded": int(faults[EXCEEDED]),
        "changed_by_a_refusal": int(faults[CHANGED_BY_REFUSAL]),
        "sums_wrong": int(faults[SUM_WRONG]),
    }


def table(result: dict[str, Any]) -> list[tuple[str, ...]]:
    """Rows for people: the first is the heading."""
    faults = ("exceeded", "changed_by_a_refusal", "sums_wrong")
    return [
        ("what", "how often"),
        ("commands", f"{result['commands']:,}"),
        *((name.replace("_", " "), f"{result[name]:,}") for name in faults),
        *((name.replace("_", " "), f"{count:,}") for name, count in result["answers"].items() if count),
    ]


def passed(result: dict[str, Any]) -> bool:
    """Whether no limit was exceeded, and the limits were what stopped a good part of the reservations."""
    answers = result["answers"]
    limited: int = sum(answers[name] for name in answers if name.endswith("_exceeded"))
    clean: bool = result["exceeded"] == result["changed_by_a_refusal"] == result["sums_wrong"] == 0
    return clean and min(int(answers["done"]), limited) * 20 > int(result["commands"])
