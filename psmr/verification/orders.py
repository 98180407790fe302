"""Two calls in both orders from one state: what a client or a replica would see of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psmr.verification.cells import Cell, cell_text
from psmr.verification.machine import Call, Outcome, TracedMachine

_SHOWN_CELLS = 4
_SHOWN_BYTES = 40


@dataclass(frozen=True, slots=True)
class Order:
    """One of the two orders: outcomes in the order of the pair, not of execution, and the state at the end."""

    first: Outcome
    second: Outcome
    state: dict[Cell, Any]


def both_orders(machine: TracedMachine, first: Call, second: Call) -> tuple[Order, Order]:
    """The pair executed as it stands, then the other way round; the machine is as before."""
    mark = machine.mark()
    one = machine.call(first)
    two = machine.call(second)
    straight = Order(one, two, machine.content())
    machine.rollback(mark)
    two = machine.call(second)
    one = machine.call(first)
    reverse = Order(one, two, machine.content())
    machine.rollback(mark)
    return straight, reverse


def differences(first: Call, second: Call, straight: Order, reverse: Order) -> list[str]:
    """What differs between the orders, a line each; empty if nothing does."""
    found = []
    for call, one, other in ((first, straight.first, reverse.first), (second, straight.second, reverse.second)):
        whose = f"the reply of {call_text(call)}" if first != second else f"a reply of {call_text(call)}"
        if one.answer != other.answer:
            found.append(f"{whose}: {value_text(one.reply)} or {value_text(other.reply)}")
        if one.events != other.events:
            found.append(f"the events of {call_text(call)}: {one.events!r} or {other.events!r}")
    changed = [
        cell for cell in {**straight.state, **reverse.state} if straight.state.get(cell) != reverse.state.get(cell)
    ]
    for cell in changed[:_SHOWN_CELLS]:
        found.append(f"{cell_text(cell)}: {_held(straight, cell)} or {_held(reverse, cell)}")
    if len(changed) > _SHOWN_CELLS:
        found.append(f"and {len(changed) - _SHOWN_CELLS} more cells of the state")
    return found


def differ(machine: TracedMachine, first: Call, second: Call) -> bool:
    """Whether the order shows."""
    straight, reverse = both_orders(machine, first, second)
    return bool(differences(first, second, straight, reverse))


def call_text(call: Call) -> str:
    """A call as it would be written: `deposit(1, 5)`."""
    return f"{call.command}({', '.join(map(value_text, call.arguments))})"


def value_text(value: Any) -> str:
    """A value as it would be written; of long bytes the beginning and the length."""
    if isinstance(value, bytes) and len(value) > _SHOWN_BYTES:
        return f"{value[:_SHOWN_BYTES]!r}… of {len(value)} bytes"
    return repr(value)


def calls_text(calls: Sequence[Call]) -> str:
    """Calls in a row: `open(1), deposit(1, 5)`."""
    return ", ".join(map(call_text, calls)) or "nothing"


def _held(order: Order, cell: Cell) -> str:
    return value_text(order.state[cell]) if cell in order.state else "nothing"
