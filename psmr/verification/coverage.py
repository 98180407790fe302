"""Which lines of its handlers a search has executed: what was never reached, nothing is known of."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import CodeType, FrameType, FunctionType
from typing import Any

from cdep import Command, Service, StateMachine
from psmr.verification.machine import Call, Outcome, TracedMachine

Line = tuple[str, int]
"""Path and number."""

_WATCHED_CLOSELY = 400
_WATCHED_ONE_IN = 16


class Coverage:
    """Executes calls, and watches lines as long as a command has some that were not seen: watching is slow.

    A command's lines are those of its handler and of all that the handler calls in the service's own package.
    """

    def __init__(self, owner: type[StateMachine], service: Service) -> None:
        package = owner.__module__.partition(".")[0]
        codes = {
            command.name: set().union(*(_codes(owner, getattr(owner, name), package) for name in _methods(command)))
            for command in service.commands
        }
        self._codes = set().union(*codes.values())
        self.missing = {name: {line for code in own for line in _lines(code)} for name, own in codes.items()}
        self._executions = dict.fromkeys(self.missing, 0)

    def call(self, machine: TracedMachine, call: Call) -> tuple[Outcome, bool]:
        """Execute a call; what it came to, and whether it reached lines for the first time."""
        missing = self.missing[call.command]
        self._executions[call.command] += 1
        count = self._executions[call.command]
        if not missing or (count > _WATCHED_CLOSELY and count % _WATCHED_ONE_IN):
            return machine.call(call), False
        before = len(missing)

        def watch_line(frame: FrameType, event: str, argument: Any) -> Any:
            missing.discard((frame.f_code.co_filename, frame.f_lineno))
            return watch_line

        def watch(frame: FrameType, event: str, argument: Any) -> Any:
            return watch_line if frame.f_code in self._codes else None

        previous = sys.gettrace()
        sys.settrace(watch)
        try:
            outcome = machine.call(call)
        finally:
            sys.settrace(previous)
        return outcome, len(missing) < before


def _methods(command: Command) -> list[str]:
    return [command.name, *([command.early.method] if command.early else [])]


def _lines(code: CodeType) -> Iterator[Line]:
    for _, _, line in code.co_lines():
        if line is not None and line != code.co_firstlineno:
            yield code.co_filename, line


def _codes(owner: type[StateMachine], function: FunctionType, package: str) -> set[CodeType]:
    """The code of a handler and of what it calls, by name, as far as it is the service's own."""
    found: set[CodeType] = set()
    waiting = [function]
    while waiting:
        current = waiting.pop()
        if current.__code__ in found:
            continue
        found.add(current.__code__)
        for name in current.__code__.co_names:
            helper = getattr(owner, name, None) if name.startswith("_") else None  # `put` may be a map's
            for value in (helper, current.__globals__.get(name)):
                if isinstance(value, FunctionType) and value.__module__.partition(".")[0] == package:
                    waiting.append(value)
    return found
