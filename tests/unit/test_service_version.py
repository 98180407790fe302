"""The entry at which a version takes over: as bytes, in the log, and when it may be ordered."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from snapshot_support import CLUSTER_ID, take

from cdep import Service
from psmr.core.control import CONTROL_MAGIC, Kind, MalformedControl, is_control, kind_of
from psmr.core.raft import AppendEntries
from psmr.core.roster import Roster, decode_roster, encode_roster
from psmr.core.service_version import ServiceVersion, decode_version, encode_version
from psmr.errors import ConfigurationError, Refused
from psmr.log.opening import entries_of
from psmr.log.port import LogStatus
from psmr.log.rosters import Rosters
from psmr.replica.delivery import Delivery
from psmr.replica.versions import successor_check, version_for
from psmr.storage.record import encode
from psmr.transport.client_protocol import AskUpgrade

NEXT = ServiceVersion(2, 1, "Book", 7)
NUMBERS = st.integers(0, 2**64 - 1)


@given(NUMBERS, NUMBERS, st.text(min_size=1, max_size=256), NUMBERS)
def test_a_version_survives_as_bytes(fingerprint: int, replaces: int, name: str, number: int) -> None:
    version = ServiceVersion(fingerprint, replaces, name, number)
    if fingerprint != replaces:
        payload = encode_version(version)
        assert decode_version(payload) == version
        assert (is_control(payload), kind_of(payload)) == (True, Kind.VERSION)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        CONTROL_MAGIC + b"\x01\x02\0",
        CONTROL_MAGIC + b"\x01\x03\0\0" + encode_version(NEXT)[8:],
        CONTROL_MAGIC + b"\x01\x02\1\0" + encode_version(NEXT)[8:],
        encode_roster(Roster()),
        encode_version(ServiceVersion(1, 1, "Book", 7)),
        encode_version(ServiceVersion(1, 2, "", 7)),
        encode_version(ServiceVersion(1, -2, "Book", 7)),
        encode_version(ServiceVersion(1, 2, "B" * 257, 7)),
        encode_version(NEXT) + b"\0",
    ],
)
def test_what_is_no_version_is_refused(payload: bytes) -> None:
    with pytest.raises(MalformedControl):
        decode_version(payload)


def test_a_version_is_no_roster() -> None:
    with pytest.raises(MalformedControl, match="ROSTER"):
        decode_roster(encode_version(NEXT))


def test_the_newest_version_is_known_until_it_is_dropped() -> None:
    rosters = Rosters([(0, Roster())])
    assert rosters.newest_version == 0
    for index in (3, 7):
        rosters.take(index, encode_version(NEXT))
    assert (rosters.newest_version, rosters.memberships) == (7, Rosters([(0, Roster())]).memberships)
    rosters.truncate(7)
    assert rosters.newest_version == 3
    rosters.truncate(1)
    assert rosters.newest_version == 0


@pytest.mark.parametrize(("payload", "is_taken"), [(encode_version(NEXT), True), (encode_version(NEXT)[:-1], False)])
def test_what_delivery_could_not_read_is_not_taken_from_a_peer(payload: bytes, is_taken: bool) -> None:
    message = AppendEntries(1, 0, 0, 0, (1,), 0)
    taken = entries_of(message, [encode(1, 1, 5, payload)])
    assert (taken is not None) == is_taken
    if taken is not None:
        assert taken[1] == ()


def a_service(fingerprint: int) -> Service:
    return cast(Service, SimpleNamespace(name="Book", version=1, fingerprint=fingerprint))


def a_delivery(delivered: int, successor: ServiceVersion | None = None) -> Delivery:
    field = SimpleNamespace(replicated=True, specification=lambda: "Map(u64, u64, capacity=9)")
    scratch = SimpleNamespace(replicated=False, specification=lambda: "Scratch(8)")
    engine: Any = SimpleNamespace(
        service=a_service(1), memory=SimpleNamespace(containers={"entries": field, "room": scratch})
    )
    return cast(Delivery, SimpleNamespace(engine=engine, delivered=delivered, successor=successor))


def status(newest_version: int) -> LogStatus:
    return LogStatus("leader", 1, 1, 9, 9, newest_version=newest_version)


def wish(fingerprint: int = 2, **state: str) -> AskUpgrade:
    return AskUpgrade(fingerprint, "Book", 7, list(state.items()))


def test_a_version_is_ordered_that_can_have_the_state() -> None:
    found = version_for(
        wish(entries="Map(u64, u64, capacity=9)", room="Scratch(16)", more="x"), a_delivery(9), status(9)
    )
    assert found == NEXT
    assert version_for(wish(), a_delivery(9), status(0)) == NEXT


@pytest.mark.parametrize(
    ("wanted", "delivery", "newest_version", "text"),
    [
        (wish(1), a_delivery(9), 0, "runs already"),
        (wish(entries="Map(u64, u64, capacity=10)"), a_delivery(9), 0, "was Map(u64, u64, capacity=9) and is"),
        (wish(), a_delivery(8), 9, "about to take over"),
        (wish(), a_delivery(9, NEXT), 9, "about to take over"),
    ],
)
def test_a_version_is_refused_that_all_would_have_to_stop_at(
    wanted: AskUpgrade, delivery: Delivery, newest_version: int, text: str
) -> None:
    with pytest.raises(Refused) as raised:
        version_for(wanted, delivery, status(newest_version))
    assert text in str(raised.value)


def test_a_folder_goes_over_when_its_newest_snapshot_says_so(tmp_path: Path) -> None:
    take(tmp_path, 5).close()
    successor_check(tmp_path, CLUSTER_ID, a_service(0xFEED))(1)
    with pytest.raises(ConfigurationError, match="0x000000000000feed, which executes the log from log index 6 on"):
        successor_check(tmp_path, CLUSTER_ID, a_service(3))(1)


def test_a_folder_without_a_snapshot_goes_over_to_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="0x0000000000000001, which executes the log from its beginning"):
        successor_check(tmp_path, CLUSTER_ID, a_service(0xFEED))(1)
