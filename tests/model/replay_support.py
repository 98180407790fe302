"""Folders as replicas leave them, written without a cluster: what is delivered goes to a log, snapshots are taken on the way."""

from __future__ import annotations

import select
from collections.abc import Sequence
from pathlib import Path

from execution_support import NOW_US, Batch, encode

from cdep import StateMachine
from psmr.core.batch import KIND_COMMANDS, encode_open
from psmr.core.batch import encode as encode_batch
from psmr.core.reply import parse_reply
from psmr.core.sessions import Sessions
from psmr.core.sessions_record import encode_sessions
from psmr.execution.engine import Engine
from psmr.log.port import Base, Entry
from psmr.replica.delivery import Delivery
from psmr.replica.event_stream import EventStream
from psmr.replica.snapshot_content import About, head_of
from psmr.storage import Files, LogStore, SnapshotWriter, claim, decode_unchecked
from psmr.storage import encode as encode_record
from psmr.storage.event_log import EventLog

CLUSTER_ID = 77
TERM = 1


class Recording:
    """A replica of one member: `append` orders and executes, `snapshot` takes one; `close` leaves the folder as it is then."""

    def __init__(self, folder: Path, owner: type[StateMachine], *, workers: int = 1, compiled: bool = False) -> None:
        self.folder = folder
        self.engine = Engine(
            owner, workers, compiled=compiled, ring_bytes=8 << 20, spin=20, choose=lambda synchronous, count: workers
        )
        self.engine.start()
        service = self.engine.service
        claim(
            folder,
            cluster="recorded",
            cluster_id=CLUSTER_ID,
            replica_id=1,
            service=service.name,
            fingerprint=service.fingerprint,
        ).close()
        self.store = LogStore(folder, False, 1 << 20, cluster_id=CLUSTER_ID)
        self.events: EventStream | None = None
        if self.engine.memory.has_events:
            kept = EventLog(folder / "events", Files(), cluster_id=CLUSTER_ID, start=0, bytes_max=1 << 26, sync=False)
            self.events = EventStream(0, service.fingerprint, kept)
        self.delivery = Delivery(Sessions(), self.engine, events=self.events)
        self.sequences: dict[int, int] = {}
        self.digests = {0: self.engine.digest()}

    def open_session(self) -> int:
        """A new session's number."""
        (reply,) = self.append(encode_open(self.engine.service.fingerprint, 9))
        session = parse_reply(reply).session
        self.sequences[session] = 0
        return session

    def batch(self, session: int, calls: Batch) -> bytes:
        """The next batch of a session."""
        self.sequences[session] += 1
        layout = self.engine.layout
        records, blob = encode(layout, calls)
        sequence, fingerprint = self.sequences[session], self.engine.service.fingerprint
        return encode_batch(
            KIND_COMMANDS, fingerprint, session, sequence, sequence - 1, layout.stride, records, len(calls), blob
        )

    def append(self, *payloads: bytes) -> list[bytes]:
        """One entry; the answers to its batches."""
        index = self.delivery.delivered + 1
        record = decode_unchecked(encode_record(index, TERM, NOW_US + 1000 * index, *payloads))
        self.store.append([record])
        self.store.mark_committed(index)
        self.delivery.deliver([Entry(index, record.time_us, record.payload)])
        answers: list[bytes] = []
        while True:
            answers += [answer.reply for answer in self.delivery.collect()]
            if self.delivery.idle:
                break
            if self.engine.want_bell():
                assert select.select([self.engine.bell, *self.engine.sentinels], [], [], 60)[0]
                self.engine.silence_bell()
        self.digests[index] = self.engine.digest()
        return answers

    def run(self, log: Sequence[Batch]) -> None:
        """A session, and an entry for each batch."""
        session = self.open_session()
        for calls in log:
            self.append(self.batch(session, calls))

    def snapshot(self, *, follows: int | None = None) -> int:
        """Take one; its index. `follows`: the fingerprint of the service that executes what is behind it, if it is another one."""
        index = self.delivery.delivered
        sessions = encode_sessions(*self.delivery.sessions.remembered())
        writer = SnapshotWriter(self.folder, Files(), cluster_id=CLUSTER_ID, index=index)
        writer.write(0, [sessions])
        result = self.engine.capture().write(lambda offset, piece: writer.write(len(sessions) + offset, [piece]))
        self.engine.end_capture()
        base = Base(index, TERM, self.delivery.now_us, b"")
        fingerprint = self.engine.service.fingerprint if follows is None else follows
        writer.finish(head_of(About(base, fingerprint, 0), len(sessions), result))
        return index

    def close(self) -> None:
        """The replica stops."""
        self.store.take_synced()
        if self.events is not None:
            self.events.close()
        self.store.close()
        self.engine.close()

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def recorded(folder: Path, owner: type[StateMachine], log: Sequence[Batch]) -> dict[int, int]:
    """The folder of a replica that has executed the batches, one an entry; the digest of the state behind each entry."""
    with Recording(folder, owner) as recording:
        recording.run(log)
        return recording.digests


def files_of(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Every file, its content and when it was written last."""
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}
