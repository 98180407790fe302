"""Storage: the segmented log on disk, term and vote, and the data folder's identity."""

from __future__ import annotations

from psmr.storage.files import Files
from psmr.storage.hard_state import HardState
from psmr.storage.identity import Claim, Identity, claim
from psmr.storage.log_store import LogStore
from psmr.storage.record import Record, decode, decode_all, decode_unchecked, encode

__all__ = [
    "Claim",
    "Files",
    "HardState",
    "Identity",
    "LogStore",
    "Record",
    "claim",
    "decode",
    "decode_all",
    "decode_unchecked",
    "encode",
]
