"""Recorded histories, in every form that `psmr check` reads."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from psmr.checking.edn import DIGITS_MAX
from psmr.checking.recorded import Call, Event, read_calls, read_events
from psmr.checking.values import FrozenMap, Keyword, Tagged, show
from psmr.errors import ConfigurationError
from psmr.fuzzing.target import Target

_TOKENS = (
    b"[" * 200,
    b'{"a":' * 2000,
    b"#_ " * 100,
    b"#a " * 100,
    b"9" * 5000,
    b"1e999",
    b"-0",
    b"NaN",
    b"Infinity",
    b"nil",
    b"null",
    b"\\ud800",
    b'"\\ud800"',
    b"\\newline",
    b"\xff",
    b"\n",
    b";",
    b"#{1 1}",
    b"{:a 1 :a 2}",
    b":type :ok",
    b":type :info",
    b":index 1",
    b":process :nemesis",
    b'"index": 0, ',
    b'"type": "fail"',
    b"#jepsen.history.Op",
)


def recorded() -> Target:
    """A history as text: the reader may not pass over, change or add a call."""
    edn = (
        "{:process 0, :type :invoke, :f :write, :value 3, :time 12, :index 0}\n"
        "{:process 1, :type :invoke, :f :read, :value nil, :time 14, :index 1}\n"
        "{:process :nemesis, :type :info, :f :cut, :value nil, :time 15, :index 2}\n"
        "{:process 0, :type :ok, :f :write, :value 3, :time 17, :index 3}\n"
        "{:process 1, :type :info, :f :read, :value nil, :time 19, :index 4}\n"
    )
    rich = '[#jepsen.history.Op{:process "a" :type :invoke :f :cas :value [#{1 -2.5} {"k" \\newline}]} ; so\n'
    rich += '#_ nothing {:process "a" :type :fail :f :cas :value (0 "\\u00e4" sym/bol true)}]'
    events: list[dict[str, Any]] = [
        {"process": 0, "type": "invoke", "f": "put", "value": ["k", 1.5], "key": "x"},
        {"process": 0, "type": "ok", "f": "put", "value": [None, {"a": [True]}], "key": "x"},
        {"process": 2, "type": "invoke", "f": "get", "value": None},
    ]
    lines = "\n".join(map(json.dumps, events))
    corpus = tuple(each.encode() for each in (edn, rich, lines, json.dumps(events)))
    return Target("history", corpus, _decode, (ConfigurationError,), _wrong_calls, tokens=_TOKENS)


def _decode(data: bytes) -> tuple[str, list[Call]]:
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise ConfigurationError("expected UTF-8") from error
    return text, read_calls(text)


def _wrong_calls(_: bytes, found: tuple[str, list[Call]]) -> str | None:
    """Calls are as events are, one at a time of each process; and events mean the same when they are written as EDN again."""
    text, calls = found
    events = list(read_events(text))
    begun = [event for event in events if event.type == "invoke"]
    failed = sum(event.type == "fail" for event in events)
    if len(calls) != len(begun) - failed:
        return f"{len(begun)} calls, {failed} of them failed, became {len(calls)}"
    return _wrong_order(calls) or _wrong_again(events)


def _wrong_order(calls: list[Call]) -> str | None:
    for call in calls:
        begin, end = call.begin, call.end
        if begin.type != "invoke" or (end is None) != (call.ended_at is None):
            return f"{call!r}: expected a call, and both or neither of its end and when it was"
        if end is not None and (
            (end.type, end.f, end.process) != ("ok", begin.f, begin.process) or call.at >= _end(call)
        ):
            return f"{call!r}: expected a later end of that call"
    for call, later in pairwise(sorted(calls, key=lambda each: (str(each.begin.process), each.at))):
        if call.begin.process == later.begin.process and call.end is not None and _end(call) >= later.at:
            return f"{later!r}: expected {call!r} to have ended before"
    return None


def _end(call: Call) -> int:
    return -1 if call.ended_at is None else call.ended_at


def _wrong_again(events: list[Event]) -> str | None:
    if not events or not all(map(_is_plain, (part for event in events for part in event))):
        return None
    again = list(read_events("\n".join(map(_as_edn, events))))
    for event, other in zip(events, again, strict=True):
        if event[1:] != other[1:]:
            return f"{event!r} became {other!r}"
    return None


def _as_edn(event: Event) -> str:
    number, process, kind, f, value, key, time_ns, place = event
    assert number > 0, "records are counted from 1"
    fields = {"process": process, "type": kind, "f": f, "value": value, "key": key, "time": time_ns, "index": place}
    return show(FrozenMap({Keyword(name): field for name, field in fields.items()}))


def _is_plain(value: Any) -> bool:
    """Whether EDN as this package reads it has the value: no infinity, and no longer numbers; JSON has both."""
    return all(
        not (isinstance(each, float) and math.isinf(each)) and len(show(each)) < DIGITS_MAX for each in _leaves(value)
    )


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, FrozenMap):
        for pair in value.items():
            yield from _leaves(pair)
    elif isinstance(value, tuple | frozenset):
        for each in value:
            yield from _leaves(each)
    elif isinstance(value, Tagged):
        yield from _leaves(value.value)
    else:
        yield value
