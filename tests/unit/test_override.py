"""What the log says of a service that was started though its handlers may make replicas differ."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from services_to_verify import Watched
from snapshot_support import CLUSTER_ID

from psmr.core.control import Kind, MalformedControl, is_control, kind_of
from psmr.core.override import (
    LINES_MAX,
    REMEMBERED_MAX,
    Overridden,
    Override,
    decode_override,
    encode_override,
    remembered,
)
from psmr.core.raft import AppendEntries
from psmr.core.roster import Roster, encode_roster
from psmr.core.sessions import Sessions
from psmr.execution.engine import Engine
from psmr.log.memory_log import MemoryLog
from psmr.log.opening import entries_of
from psmr.log.port import Base
from psmr.log.rosters import Rosters
from psmr.replica.delivery import Delivery
from psmr.replica.snapshot_content import restore
from psmr.replica.snapshot_thread import SnapshotFolder, SnapshotThread
from psmr.storage import newest_snapshot
from psmr.storage.files import Files
from psmr.storage.record import encode

FOUND = Override(
    7, "shop:Book", 2, ("clock", "random"), ("shop.py:3:5 clock (time.time): clocks differ", "shop.py:9:1")
)


def test_an_override_survives_as_bytes() -> None:
    payload = encode_override(FOUND)
    assert decode_override(payload) == FOUND
    assert (is_control(payload), kind_of(payload)) == (True, Kind.OVERRIDE)


@pytest.mark.parametrize(
    "payload",
    [
        encode_override(FOUND)[:-1],
        encode_override(FOUND) + b"\0",
        encode_roster(Roster()),
        encode_override(Override(-1, "shop:Book", 2, (), ())),
        encode_override(Override(1, "", 2, (), ())),
        encode_override(Override(1, "shop:Book", 2, ("",), ())),
        encode_override(Override(1, "shop:Book", 2, (), ("x",) * (LINES_MAX + 1))),
        encode_override(Override(1, "shop:Book", 2, (), ("x" * 241,))),
    ],
)
def test_what_is_no_override_is_refused(payload: bytes) -> None:
    with pytest.raises(MalformedControl):
        decode_override(payload)
    message = AppendEntries(1, 0, 0, 0, (1,), 0)
    if kind_of(payload) is Kind.OVERRIDE:
        assert entries_of(message, [encode(1, 1, 5, payload)]) is None


def test_a_peer_that_sends_one_is_believed() -> None:
    taken = entries_of(AppendEntries(1, 0, 0, 0, (1,), 0), [encode(1, 1, 5, encode_override(FOUND))])
    assert taken is not None
    assert taken[1] == ()


def test_the_log_knows_its_overrides_until_they_are_dropped() -> None:
    rosters = Rosters([(0, Roster())])
    rosters.take(3, encode_override(FOUND))
    assert rosters.has_override(7)
    assert not rosters.has_override(8)
    assert rosters.newest_version == 0
    rosters.truncate(3)
    assert not rosters.has_override(7)


def test_the_first_of_each_fingerprint_is_remembered_and_so_many_of_them() -> None:
    known: tuple[Overridden, ...] = ()
    for index in range(REMEMBERED_MAX + 2):
        for _ in range(2):
            known = remembered(known, Overridden(2 * index + _, 5, Override(index, "shop:Book", 1, (), ())))
    assert [each.index for each in known] == [2 * index for index in range(2, REMEMBERED_MAX + 2)]


def test_it_is_ordered_once_and_delivered() -> None:
    log = MemoryLog(lambda: 11)
    for _ in range(3):
        log.record(FOUND)
    assert log.committed == 1
    engine: Any = SimpleNamespace(publish=lambda: None, outstanding=0)
    delivery = Delivery(Sessions(), cast(Engine, engine))
    delivery.deliver(log.read(1, 1 << 20))
    (found,) = delivery.overrides
    assert (found.index, found.override) == (1, FOUND)
    assert found.document()["lines"] == list(FOUND.lines)
    assert found.document()["fingerprint"] == "0x0000000000000007"


def test_a_snapshot_says_it_to_whoever_begins_with_it(tmp_path: Path) -> None:
    said = (Overridden(3, 99, FOUND),)
    engine = Engine(Watched, 1)
    thread = SnapshotThread(SnapshotFolder(tmp_path, Files(), CLUSTER_ID, None), engine.service.fingerprint)
    try:
        newest, sessions = Sessions().remembered()
        thread.begin(Base(4, 1, 0, b""), newest, sessions, engine.capture(), None, said)
        while (taken := thread.finished()) is None:
            pass
        assert taken.failure == ""
        engine.end_capture()
    finally:
        thread.close()
        engine.close()
    found = newest_snapshot(tmp_path, Files(), CLUSTER_ID, [])
    assert found is not None
    other = Engine(Watched, 1)
    try:
        restored = restore(found, other)
    finally:
        other.close()
        found.close()
    assert (restored.base.index, restored.overrides) == (4, said)
