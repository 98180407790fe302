"""The verdict of a demonstration: the log executed again, the sequential model, and the clients' histories.

Three witnesses that know nothing of each other: a fresh engine fed with the log that a replica left; the application's model in
plain Python, fed with the same commands one by one; and what the clients saw, checked for linearizability without any log.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cdep import StateMachine
from proxies.calls import Raised, calls_of, order_of, replies_of
from proxies.layout import ServiceLayout
from psmr.checking import Operation, check
from psmr.core.reply import BatchStatus, parse_reply
from psmr.demo.calls import Calls, CallsError, ExecutedCall
from psmr.demo.record import BatchRecord
from psmr.demo.told import ToldByBatch
from psmr.execution.memory import Memory
from psmr.replica.replay import Replay
from psmr.services import find_application
from psmr.state.array import Array, Column, Table
from psmr.state.map import Map
from psmr.storage import WholeLog
from psmr.workload import Judge, Judgement, Model, Telling, WorkloadOptions

CHECK_TIMEOUT_S = 60.0
LISTED_MAX = 1 << 20
"""Rows of the longest array that is compared as a list; of a longer one, only the rows that are not 0 are, as a dict."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is to be checked: the replicas' folders, how far their log counts, and the clients' records.

    `departed` are folders of replicas that were removed before the end; `options` those of the run's workload.
    """

    app: str
    folders: Sequence[Path]
    cluster_id: int
    last_index: int
    records: Sequence[BatchRecord]
    departed: Sequence[Path] = ()
    options: WorkloadOptions = field(default_factory=WorkloadOptions)


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found. `digest` covers state, `sessions_digest` what the sessions remember."""

    digest: str
    sessions_digest: str
    lost: int
    duplicated: int
    model_equal: bool
    model_difference: str
    linearizable: bool | None
    linearizability: str
    judgement: Judgement | None = None


def verify(evidence: Evidence) -> Findings:
    """Execute, compare, check. Call it in a process without threads: it forks workers.

    Raises Violation when replicas differ in an entry, and what else `WholeLog` raises.
    """
    application = find_application(evidence.app)
    replay = Replay(application.service)
    told = ToldByBatch(replay.engine.service)
    replay.delivery.events = told if told.is_needed else None
    judge = application.judge(evidence.options) if application.judge else None
    try:
        log = WholeLog(evidence.folders, evidence.cluster_id, evidence.last_index, departed=evidence.departed)
        executed = _replay(replay, log)
        layout = replay.engine.layout
        contents = state_of(application.service, replay.engine.memory)
        digest, sessions_digest = replay.digest, replay.sessions_digest
    finally:
        replay.close()
    lost, duplicated = _account(evidence.records, executed)
    difference = _compare_with_model(Calls(layout, log, executed, told), application.model(), judge, contents)
    verdict = check(
        operations(layout, evidence.records), application.checking, timeout_s=CHECK_TIMEOUT_S, session_order=True
    )
    return Findings(
        f"{digest:016x}",
        f"{sessions_digest:016x}",
        lost,
        duplicated,
        not difference,
        difference,
        verdict.linearizable,
        verdict.text(),
        judge.judgement() if judge else None,
    )


def _replay(replay: Replay, log: WholeLog) -> dict[tuple[int, int], bytes]:
    """Replies of the executed batches by (session, sequence)."""
    executed: dict[tuple[int, int], bytes] = {}
    for answer in replay.run(log, log.last_index):
        reply = parse_reply(answer.reply)
        if reply.status is BatchStatus.EXECUTED:
            executed.setdefault((reply.session, reply.sequence), answer.reply)
    return executed


def _account(records: Iterable[BatchRecord], executed: dict[tuple[int, int], bytes]) -> tuple[int, int]:
    """Commands that were acknowledged and are not in the log with that very reply; commands acknowledged twice.

    What was read beside the log is not in it: the check for linearizability judges that.
    """
    lost = duplicated = 0
    seen: Counter[tuple[int, int]] = Counter()
    for record in records:
        if record.reply is None:
            continue
        reply = parse_reply(record.reply)
        if reply.status is BatchStatus.READ:
            continue
        place = (reply.session, reply.sequence)
        seen[place] += 1
        if seen[place] > 1:
            duplicated += record.count
        if executed.get(place) != record.reply:
            lost += record.count
    return lost, duplicated


def _compare_with_model(calls: Calls, model: Model, judge: Judge | None, contents: dict[str, Any]) -> str:
    """The first difference between the model, given the log's calls one by one, and the engine; "" if none."""
    telling = model if isinstance(model, Telling) else None
    try:
        for call in calls:
            if judge is not None:
                judge.see(call.command, call.arguments, call.reply, call.told)
            difference = _apply(model, telling, call)
            if difference:
                return f"log index {call.log_index}: {difference}"
    except CallsError as error:
        return str(error)
    return _difference(model.state(), contents)


def _apply(model: Model, telling: Telling | None, call: ExecutedCall) -> str:
    if telling is not None:
        telling.events.clear()
    try:
        expected = model.apply(call.command, call.arguments)
    except Exception as error:  # noqa: BLE001 - a model raises where its service is to raise; both are compared
        expected = Raised(f"{type(error).__name__}: {error}")
    same = isinstance(call.reply, Raised) if isinstance(expected, Raised) else call.reply == expected
    if not same:
        return f"{call.command}{call.arguments}: expected {expected!r} from the model, found {call.reply!r}"
    if telling is not None and telling.events != call.told:
        return f"{call.command}{call.arguments}: expected events {telling.events} from the model, found {call.told}"
    return ""


def _difference(expected: dict[str, Any], found: dict[str, Any]) -> str:
    for name, content in expected.items():
        other = found.get(name)
        if isinstance(content, dict) and isinstance(other, dict):
            # Of a table only the fields that the model knows of; those of a map are its keys, and all of them count.
            is_table = bool(content) and all(isinstance(key, str) for key in content)
            for key in content if is_table else sorted(content.keys() | other.keys(), key=repr):
                if content.get(key) != other.get(key):
                    return f"{name}[{key!r}]: {_unlike(content.get(key), other.get(key))}"
        elif other != content:
            return f"{name}: {_unlike(content, other)}"
    return ""


def _unlike(expected: Any, found: Any) -> str:
    return f"expected {_shown(expected)} from the model, found {_shown(found)}"


def _shown(content: Any) -> str:
    text = repr(content)
    return text if len(text) <= 200 else f"{text[:200]}…"


def state_of(owner: type[StateMachine], memory: Memory) -> dict[str, Any]:
    """The content of an engine's state in plain Python, by field: a dict for a Map, lists for an Array or a Table.

    Of an array or table of more than `LISTED_MAX` rows, a dict of the rows that are not 0.
    """
    access = memory.access(0)
    contents: dict[str, Any] = {}
    for (name, container), base in zip(memory.containers.items(), memory.bases, strict=True):
        if isinstance(container, Map):
            contents[name] = _items(container.bind(access, base))
        elif isinstance(container, Array):
            contents[name] = _rows(container.bind(access, base))
        elif isinstance(container, Table):
            table = container.bind(access, base)
            contents[name] = {field: _rows(getattr(table, field)) for field in container.fields}
    return contents


def _rows(column: Array[Any] | Column[Any]) -> list[Any] | dict[int, Any]:
    return column.values() if len(column) <= LISTED_MAX else column.written()


def _items(table: Map[Any, Any]) -> dict[Any, Any]:
    items: dict[Any, Any] = {}
    cursor = table.next(-1)
    while cursor >= 0:
        items[_plain(table.key_at(cursor))] = _plain(table.value_at(cursor))
        cursor = table.next(cursor)
    return items


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def operations(layout: ServiceLayout, records: Iterable[BatchRecord]) -> list[Operation]:
    """The clients' history: the commands of a batch share its times, and follow each other in its session."""
    history: list[Operation] = []
    for record in records:
        calls = calls_of(layout, record.records, record.count, record.blob)
        replies: list[Any] = [None] * len(calls)
        if record.reply is not None:
            reply = parse_reply(record.reply)
            replies = replies_of(layout, calls, reply.records, reply.blob)
        for row in order_of(layout, calls):
            call, value = calls[row], replies[row]
            history.append(
                Operation(record.client, record.invoked_us, record.returned_us, call.command, call.arguments, value)
            )
    return history
