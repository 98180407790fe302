"""What a folder's event files say of entries: whole ones alone, in order, none behind what is torn."""

from __future__ import annotations

from pathlib import Path

import pytest

from psmr.core.event_format import HEAD
from psmr.core.event_frame import FrameHead, encode_frame
from psmr.replaying.folder import ReplicaFolder
from psmr.replaying.kept_events import KeptEvents
from psmr.storage import LogStore, claim, decode_unchecked, encode
from psmr.storage.event_log import file_header, file_name

CLUSTER_ID = 3
FINGERPRINT = 9
EVENT = HEAD.pack(0, 8, 0)


def frame(position: int, index: int, sequence: int = 1, *, fingerprint: int = FINGERPRINT) -> bytes:
    """One event of a batch, in a frame of its own."""
    return encode_frame(FrameHead(1, len(EVENT), index, position, 0, 7, sequence, fingerprint), EVENT)


def kept(folder: Path, files: dict[int, list[bytes]]) -> KeptEvents:
    claim(folder, cluster="c", cluster_id=CLUSTER_ID, replica_id=1, service="S", fingerprint=FINGERPRINT).close()
    with LogStore(folder, False, cluster_id=CLUSTER_ID) as store:
        store.append([decode_unchecked(encode(1, 1, 1, b""))])
    (folder / "events").mkdir()
    for first, frames in files.items():
        content = file_header(CLUSTER_ID, first) + b"".join(frames)
        (folder / "events" / file_name(first)).write_bytes(content)
    return KeptEvents(ReplicaFolder.open(folder), FINGERPRINT)


def told(events: KeptEvents, *indexes: int) -> list[object]:
    return [events.of(index) for index in indexes]


def test_from_the_beginning_all_but_the_last_entry_are_known(tmp_path: Path) -> None:
    events = kept(tmp_path, {0: [frame(0, 2), frame(1, 2), frame(2, 2, 2)], 3: [frame(3, 5), frame(4, 6)]})
    first = {(7, 1): EVENT + EVENT, (7, 2): EVENT}
    assert told(events, 1, 2, 3, 4, 5, 6, 7) == [None, first, {}, {}, {(7, 1): EVENT}, None, None]


def test_where_the_beginning_is_gone_the_first_entry_is_not_known(tmp_path: Path) -> None:
    events = kept(tmp_path, {10: [frame(10, 4), frame(11, 5), frame(12, 6)]})
    assert told(events, 4, 5, 6) == [None, {(7, 1): EVENT}, None]


@pytest.mark.parametrize(
    "files",
    [
        {0: [frame(0, 2), frame(1, 3), frame(2, 4)[:-1]]},
        {0: [frame(0, 2), frame(1, 3)], 3: [frame(3, 4), frame(4, 5)]},
        {0: [frame(0, 2), frame(1, 3), b"\xff" * 80]},
    ],
)
def test_nothing_behind_what_is_not_whole_is_known(files: dict[int, list[bytes]], tmp_path: Path) -> None:
    assert told(kept(tmp_path, files), 2, 3, 4) == [{(7, 1): EVENT}, None, None]


def test_what_another_service_emitted_is_not_known(tmp_path: Path) -> None:
    events = kept(tmp_path, {0: [frame(0, 2, fingerprint=8), frame(1, 3), frame(2, 4)]})
    assert told(events, 2, 3) == [None, {(7, 1): EVENT}]


def test_without_events_nothing_is_known(tmp_path: Path) -> None:
    assert told(kept(tmp_path, {}), 1, 2) == [None, None]
