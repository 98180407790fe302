"""The commands in the log that a replica left, read without changing anything in its folder."""

from __future__ import annotations

from pathlib import Path

from cdep import Service
from psmr.advice.batches import Commands
from psmr.core.batch import KIND_COMMANDS, MalformedBatch, split
from psmr.core.control import is_control
from psmr.errors import ConfigurationError
from psmr.storage import Record, WholeLog
from psmr.storage.files import Files, disk_errors
from psmr.storage.identity import NAME, Identity, parse_identity
from psmr.storage.log_tail import segment_in
from psmr.storage.scan import scan_segment
from psmr.storage.segment import SEGMENT_NAMES, Segment, read_segment_header

_READ_BYTES = 1 << 20


def commands_in_log(folder: Path, service: Service) -> list[Commands]:
    """Every batch that was executed, in order: none twice. What is behind the last whole record does not count.

    Raises ConfigurationError where the folder is no replica's, another service's, holds no commands or has lost its beginning,
    and LogDamaged.
    """
    identity = _identity_of(folder, service)
    last = _last_index(folder)
    log = WholeLog([folder], identity.cluster_id, last) if last else None
    found: list[Commands] = []
    executed: dict[int, int] = {}
    index = 1
    while log is not None and index <= last:
        records = log.read(index, _READ_BYTES)
        for record in records:
            found += _executed(folder, service, record, executed)
        index += len(records)
    if not found:
        raise ConfigurationError(f"--log {folder}: expected commands in the log, found none: give the log of a run")
    return found


def _identity_of(folder: Path, service: Service) -> Identity:
    path = folder / NAME
    if not path.is_file():
        raise ConfigurationError(
            f"--log {folder}: expected the data folder of a replica, found no {NAME} in it: give the folder itself"
        )
    with disk_errors(Files(), path, "reading the folder's identity"):
        identity = parse_identity(path, path.read_bytes())
    wanted = f"{service.fingerprint:#018x}"
    if identity.fingerprint != wanted:
        raise ConfigurationError(
            f"--log {folder}: expected a log of {service.name} ({wanted}), found one of {identity.service} "
            f"({identity.fingerprint}): name the service that wrote it"
        )
    return identity


def _last_index(folder: Path) -> int:
    """The last whole record of the newest segment; 0 where there is none."""
    paths = sorted(folder.glob(SEGMENT_NAMES))
    if not paths:
        return 0
    with disk_errors(Files(), paths[-1], "reading a segment"):
        header = read_segment_header(paths[-1].read_bytes())
        if header is None:
            return 0
        _, cluster_id, first_index = header
        data = segment_in(paths[-1], cluster_id)
    segment = Segment(paths[-1], first_index)
    scan_segment(memoryview(data), segment, cluster_id, 0)
    return segment.last_index


def _executed(folder: Path, service: Service, record: Record, executed: dict[int, int]) -> list[Commands]:
    """The batches of an entry that sessions let through: the next of its session, each once."""
    if is_control(record.payload):
        return []
    try:
        batches = split(record.payload)
    except MalformedBatch:
        return []  # as at delivery: nobody executed it
    found: list[Commands] = []
    for batch in batches:
        if batch.kind != KIND_COMMANDS or batch.sequence != executed.get(batch.session, 0) + 1:
            continue
        if batch.fingerprint != service.fingerprint:
            raise ConfigurationError(
                f"--log {folder}: index {record.index}: expected a batch of {service.name} ({service.fingerprint:#018x}), found "
                f"one of {batch.fingerprint:#018x}: name the service that wrote it"
            )
        executed[batch.session] = batch.sequence
        found.append(Commands(bytes(batch.records), batch.count, bytes(batch.blob), record.time_us))
    return found
