"""What a check of a recorded history found: in words, and for machines."""

from __future__ import annotations

from typing import Any

from psmr.checking.history import Operation
from psmr.checking.possible import UNKNOWN, OneOf
from psmr.checking.recorded import Call
from psmr.checking.recorded_check import Judged
from psmr.checking.values import show
from psmr.checking.verdict import SHOWN, Counterexample

WORDS = {True: "linearizable", False: "NOT linearizable", None: "undecided"}


def in_words(judged: Judged) -> str:
    """The verdict in one line; below it, where there is no order, how far one was found and what cannot follow."""
    verdict = judged.verdict
    noun = "part" if verdict.parts == 1 else "parts, one a key"
    line = f"{WORDS[verdict.linearizable]}: {verdict.operations} operations, {verdict.parts} {noun}"
    if verdict.parts_unfinished:
        line += f"; time ran out for {verdict.parts_unfinished} of them: give it more with --time-limit"
    if verdict.counterexample:
        return "\n".join([line, *_lines(verdict.counterexample, judged.calls)])
    if verdict.suspicion:
        return "\n".join([line, "suspected, not proven:", *_lines(verdict.suspicion, judged.calls)])
    return line


def for_machines(judged: Judged) -> dict[str, Any]:
    """The same as a document; operations by the number of the record that called them."""
    verdict = judged.verdict
    return {
        "linearizable": verdict.linearizable,
        "operations": verdict.operations,
        "parts": verdict.parts,
        "parts_unfinished": verdict.parts_unfinished,
        "counterexample": _document(verdict.counterexample, judged.calls),
        "suspicion": _document(verdict.suspicion, judged.calls),
    }


def call_text(call: Call) -> str:
    """`process 2, records 7 to 9: read → 3`; `unknown` is the answer that nobody saw."""
    begin, end = call.begin, call.end
    value = "" if begin.value is None else f" {show(begin.value)}"
    name = f"{begin.f}{value}" if begin.key is None else f"{begin.f} {show(begin.key)}{value}"
    if end is None:
        return f"process {begin.process}, record {begin.number} on: {name} → unknown"
    answer = "ok" if end.value == begin.value and end.value is not None else show(end.value)
    return f"process {begin.process}, records {begin.number} to {end.number}: {name} → {answer}"


def model_text(reply: Any) -> str:
    """What the model says instead: `would answer 3`."""
    if isinstance(reply, OneOf):
        return f"would answer one of {', '.join(sorted(map(show, reply)))}"
    if reply is None:
        return "would answer nil"
    text = show(reply)
    return "would refuse it" if text == "failure" else f"would answer {text}"


def call_of(operation: Operation, calls: dict[int, Call]) -> Call:
    """The call that an operation was made from."""
    return calls[operation.invoked_us]


def _lines(against: Counterexample, calls: dict[int, Call]) -> list[str]:
    where = "the history" if against.key is None else f"key {show(against.key)}"
    placed = [call_text(call_of(operation, calls)) for operation in against.prefix]
    lines = [f"{where}: {len(placed)} of {against.operations} operations have an order, which none can follow"]
    if len(placed) > SHOWN:
        lines.append(f"  ({len(placed) - SHOWN} operations before these)")
    lines += [f"  placed: {text}" for text in placed[-SHOWN:]]
    lines.append(f"  state then: {show(against.state)}")
    for operation, reply in against.unplaceable:
        text = call_text(call_of(operation, calls))
        lines.append(f"  cannot be placed: {text}" + _instead(operation, reply))
    return lines


def _instead(operation: Operation, reply: Any) -> str:
    fits = operation.reply == reply or reply is UNKNOWN
    return ", after which no order is left" if fits else f", where the model {model_text(reply)}"


def _document(against: Counterexample | None, calls: dict[int, Call]) -> dict[str, Any] | None:
    if against is None:
        return None
    return {
        "key": None if against.key is None else show(against.key),
        "operations": against.operations,
        "prefix": [call_of(operation, calls).begin.number for operation in against.prefix],
        "state": show(against.state),
        "unplaceable": [
            {
                "record": call_of(operation, calls).begin.number,
                "text": call_text(call_of(operation, calls)),
                "model": model_text(reply),
            }
            for operation, reply in against.unplaceable
        ],
    }
