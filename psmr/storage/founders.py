"""The members that a replica's log begins with: written once, at its first start, and never looked up elsewhere again.

Who votes must not depend on a file that people edit. The cluster's file says who founds it; from then on the members are
what the log says, and before its first such entry what stands here.
"""

from __future__ import annotations

from pathlib import Path

from xxhash import xxh3_64_intdigest

from psmr.core.control import MalformedControl
from psmr.core.roster import Roster, decode_roster, encode_roster
from psmr.errors import LogDamaged
from psmr.storage.files import Files, disk_errors, replace_file

NAME = "founders"


def founders_of(folder: Path, at_first: Roster, files: Files | None = None) -> Roster:
    """The founders that `folder` remembers; in a new one `at_first`, which it remembers from now on.

    Raises LogDamaged, DiskFailed.
    """
    files = files or Files()
    path = folder / NAME
    with disk_errors(files, path, "reading the founding members"):
        data = path.read_bytes() if path.exists() else None
    if data is None:
        content = encode_roster(at_first)
        with disk_errors(files, path, "writing the founding members"):
            replace_file(files, path, content + xxh3_64_intdigest(content).to_bytes(8, "little"), sync=True)
        return at_first
    content, checksum = data[:-8], data[-8:]
    if xxh3_64_intdigest(content).to_bytes(8, "little") != checksum:
        raise _damaged(path, "its checksum does not match")
    try:
        return decode_roster(content)
    except MalformedControl as error:
        raise _damaged(path, str(error)) from error


def _damaged(path: Path, why: str) -> LogDamaged:
    return LogDamaged(
        f"{path}: expected the members that the cluster was founded with, found damage: {why}. Copy this file from another "
        "replica that was there from the beginning, or remove this replica from the cluster and have it join anew."
    )
