"""Storage: the segmented log on disk, snapshots, term and vote, and the data folder's identity."""

from __future__ import annotations

from psmr.storage.files import Files
from psmr.storage.hard_state import HardState
from psmr.storage.identity import Claim, Identity, claim
from psmr.storage.log_store import LogStore
from psmr.storage.record import CONTROL_MAGIC, Record, decode, decode_all, decode_unchecked, encode
from psmr.storage.snapshot_file import SnapshotFile, newest_snapshot, remove_older
from psmr.storage.snapshot_format import SnapshotHead
from psmr.storage.snapshot_receiver import SnapshotReceiver
from psmr.storage.snapshot_writer import SnapshotWriter
from psmr.storage.whole_log import WholeLog

__all__ = [
    "CONTROL_MAGIC",
    "Claim",
    "Files",
    "HardState",
    "Identity",
    "LogStore",
    "Record",
    "SnapshotFile",
    "SnapshotHead",
    "SnapshotReceiver",
    "SnapshotWriter",
    "WholeLog",
    "claim",
    "decode",
    "decode_all",
    "decode_unchecked",
    "encode",
    "newest_snapshot",
    "remove_older",
]
