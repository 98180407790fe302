"""A log that two versions of a service have executed, one behind the other; and snapshots that cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest
from execution_support import encode
from replay_services import Ledger, Next
from replay_support import CLUSTER_ID, Recording

from cdep import service_of
from proxies.layout import layout_of
from psmr.core.batch import KIND_COMMANDS
from psmr.core.batch import encode as encode_batch
from psmr.core.service_version import ServiceVersion, encode_version
from psmr.errors import ConfigurationError, LogDamaged
from psmr.replaying.folder import ReplicaFolder
from psmr.replaying.travel import Side
from psmr.storage import LogStore, decode_unchecked
from psmr.storage import encode as encode_record

FIRST, SECOND = service_of(Ledger), service_of(Next)
TAKES_OVER = 4


@pytest.fixture(scope="module")
def upgraded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[int, int]]:
    """Two batches, the entry at which the next version takes over with its snapshot, and a batch of that."""
    folder = tmp_path_factory.mktemp("upgraded") / "replica"
    with Recording(folder, Ledger) as recording:
        recording.run([[("add", (1, 5))], [("add", (2, 6)), ("close", (1,))]])
        recording.append(encode_version(ServiceVersion(SECOND.fingerprint, FIRST.fingerprint, "Next", 2)))
        assert recording.snapshot(follows=SECOND.fingerprint) == TAKES_OVER
        (session,) = recording.sequences
        digests = recording.digests
    layout = layout_of(SECOND)
    records, blob = encode(layout, [("fee", (2,)), ("add", (2, 1))])
    batch = encode_batch(KIND_COMMANDS, SECOND.fingerprint, session, 3, 2, layout.stride, records, 2, blob)
    with LogStore(folder, False, 1 << 20, cluster_id=CLUSTER_ID) as store:
        store.append([decode_unchecked(encode_record(TAKES_OVER + 1, 1, 1, batch))])
    return folder, digests


def side(folder: Path, owner: type[Ledger | Next]) -> Side:
    return Side(ReplicaFolder.open(folder), owner, compiled=False)


def test_each_version_has_the_positions_of_its_own(upgraded: tuple[Path, dict[int, int]]) -> None:
    folder, digests = upgraded
    with side(folder, Ledger).player(TAKES_OVER) as player:
        player.go_to(TAKES_OVER)
        assert player.digest == digests[TAKES_OVER]
        with pytest.raises(
            ConfigurationError, match=r"Next version 2 .* takes over behind entry 4: replay up to there, or na"
        ):
            player.go_to(TAKES_OVER + 1)
    assert side(folder, Next).first == TAKES_OVER
    with side(folder, Next).player(TAKES_OVER + 1) as player:
        assert player.origin.index == TAKES_OVER
        (executed,) = player.step().executed
        assert (executed.sequence, player.index) == (3, TAKES_OVER + 1)
    with pytest.raises(
        ConfigurationError, match=r"log index 1: expected entries of Next version 2 .* found those of Ledger"
    ):
        side(folder, Next).player(TAKES_OVER - 1)


def test_a_snapshot_that_is_damaged_inside_is_passed_over(tmp_path: Path) -> None:
    with Recording(tmp_path, Ledger) as recording:
        recording.run([[("add", (1, 5))]])
        recording.snapshot()
        recording.run([[("add", (2, 5))]])
        digests = recording.digests
    (path,) = tmp_path.glob("*.snap")
    data = bytearray(path.read_bytes())
    data[5000] ^= 1
    path.write_bytes(data)
    with side(tmp_path, Ledger).player(4) as player:
        player.go_to(4)
        assert (player.origin.index, player.digest) == (0, digests[4])
        assert "expected" in player.folder.notes[0]
    (segment,) = tmp_path.glob("log-[0-9]*.seg")
    segment.unlink()
    with pytest.raises(LogDamaged, match=r"snapshot-0+2.snap: offset"):
        side(tmp_path, Ledger).player(2)
