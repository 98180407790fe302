"""Histories as Jepsen records them: an event for each call and for each end of one, in EDN or as JSON Lines.

    {:process 0, :type :invoke, :f :write, :value 3, :time 1200, :index 0}
    {:process 0, :type :ok,     :f :write, :value 3, :time 1450, :index 1}

`ok` took effect and answered; `fail` took no effect; `info`, like a call that nothing ends, is unknown: it may take effect
at any later time, or never. The order of the events is the order of time: that of `:index` where every event has one, else
that of the file; `:time`, in nanoseconds, is only shown. A process is a number or a name; events of `:nemesis` are what
was done to the system, and passed over.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple, NoReturn

from psmr.checking.edn import read_edn
from psmr.checking.values import FrozenMap, Keyword, frozen, show
from psmr.errors import ConfigurationError

TYPES = ("invoke", "ok", "fail", "info")
_FIELDS = ("process", "type", "f", "value", "time", "index", "key")
_JSON = re.compile(r"\s*+(?:\[\s*+)?\{\s*+[\"}]")


class Event(NamedTuple):
    """One record. `number` counts the records of the file from 1; `place` is its `:index`."""

    number: int
    process: int | str
    type: str
    f: str
    value: Any
    key: Any
    time_ns: int | None
    place: int | None


class Call(NamedTuple):
    """A call and how it ended. Times are places in the order of events; `end` is None when the outcome is unknown."""

    at: int
    ended_at: int | None
    begin: Event
    end: Event | None


def read_calls(text: str) -> list[Call]:
    """The calls of a history, but for those that failed, in the order in which they were made.

    Raises ConfigurationError for what is no history: a malformed record, an end without a call, a process that calls
    again before its call ended.
    """
    events = list(read_events(text))
    if events and all(event.place is not None for event in events):
        events.sort(key=lambda event: event.place or 0)
        _refuse_equal_indices(events)
    calls = _matched(events)
    if not events:
        raise ConfigurationError("expected calls of clients, found none: give a history that has some")
    return calls


def read_events(text: str) -> Iterator[Event]:
    """The records of a history in the order of the file."""
    records = _json_records(text) if _JSON.match(text) else _edn_records(text)
    if len(records) == 1 and isinstance(records[0], tuple):
        records = list(records[0])
    if not records:
        raise ConfigurationError("expected the records of a history, found none: give a file that has some")
    for number, record in enumerate(records, 1):
        event = _event(number, record)
        if event is not None:
            yield event


def _edn_records(text: str) -> list[Any]:
    """EDN, in which most of JSON is EDN too: a complaint of what is JSON says so."""
    try:
        return read_edn(text)
    except ConfigurationError as error:
        said = str(error)
        if not _is_json(text):
            raise
    raise ConfigurationError(
        f"{said.removesuffix('mend the EDN')}mend the JSON: one object a line, or an array of them"
    )


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except RecursionError:
        return True
    except ValueError:
        return False
    return True


def _json_records(text: str) -> list[Any]:
    try:
        if text.lstrip().startswith("["):
            return [tuple(map(_keyed_record, frozen(_json(text))))]
        return [_json_record(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    except (ValueError, RecursionError) as error:
        problem = "values nested too deep" if isinstance(error, RecursionError) else str(error)
        raise ConfigurationError(f"expected an array of JSON objects, found {problem}: mend the JSON") from None


def _json_record(number: int, line: str) -> Any:
    try:
        return _keyed_record(frozen(_json(line)))
    except (ValueError, RecursionError) as error:
        problem = "values nested too deep" if isinstance(error, RecursionError) else str(error)
        raise ConfigurationError(f"line {number}: expected a JSON object, found {problem}: mend the JSON") from None


def _json(text: str) -> Any:
    return json.loads(text, parse_constant=_no_number)


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word}, which is no JSON")


def _keyed_record(record: Any) -> Any:
    return (
        FrozenMap({Keyword(str(key)): value for key, value in record.items()}) if isinstance(record, dict) else record
    )


_PROCESS, _TYPE, _F, _VALUE, _TIME, _INDEX, _KEY = map(Keyword, _FIELDS)


def _event(number: int, record: Any) -> Event | None:
    if not isinstance(record, FrozenMap):
        _fail(number, "a map with :process, :type and :f", _cut(show(record)))
    process, kind, f = record.get(_PROCESS), _name(record.get(_TYPE)), _name(record.get(_F))
    process = process if isinstance(process, int) else _name(process)
    if process == "nemesis":
        return None
    if process == "":
        _fail(number, "a number or a name as :process", _cut(show(record.get(_PROCESS))))
    if kind not in TYPES:
        _fail(number, "invoke, ok, fail or info as :type", _cut(show(record.get(_TYPE))))
    if not f:
        _fail(number, "the name of an operation as :f", _cut(show(record.get(_F))))
    time, index = record.get(_TIME), record.get(_INDEX)
    for name, field in (("time", time), ("index", index)):
        if field is not None and not isinstance(field, int):
            _fail(number, f"a whole number as :{name}", _cut(show(field)))
    return Event(number, process, kind, f, record.get(_VALUE), record.get(_KEY), time, index)


def _name(value: Any) -> str:
    if isinstance(value, Keyword):
        return value.name
    return value if isinstance(value, str) else ""


def _refuse_equal_indices(events: list[Event]) -> None:
    for event, following in pairwise(events):
        if event.place == following.place:
            _fail(following.number, "an :index of its own", f"{event.place}, that of record {event.number} too")


def _matched(events: list[Event]) -> list[Call]:
    calls: list[Call | None] = []
    under_way: dict[int | str, int] = {}
    for at, event in enumerate(events):
        place = under_way.pop(event.process, None)
        if event.type == "invoke":
            if place is not None:
                begun = calls[place]
                assert begun is not None, "what is under way has not failed"
                found = f"another while that of record {begun.begin.number} is under way"
                _fail(event.number, "one call of a process at a time", found)
            under_way[event.process] = len(calls)
            calls.append(Call(at, None, event, None))
        elif place is not None:
            calls[place] = _ended(calls[place], at, event)
        elif event.type != "info":
            _fail(event.number, f"a call of process {event.process} before its {event.type}", "none")
    return [call for call in calls if call is not None]


def _ended(call: Call | None, at: int, event: Event) -> Call | None:
    assert call is not None, "what is under way has not failed"
    if event.f != call.begin.f:
        _fail(event.number, f"the end of {call.begin.f}, which record {call.begin.number} called", f"that of {event.f}")
    if event.type == "fail":
        return None
    return call._replace(ended_at=at, end=event) if event.type == "ok" else call


def _cut(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


def _fail(number: int, expected: str, found: str) -> NoReturn:
    raise ConfigurationError(f"record {number}: expected {expected}, found {found}: mend the history")
