"""A cluster of replicas that do as told: real sockets and sessions, no log and no state. Commands are echoed."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import zmq

from psmr.core import sessions as log
from psmr.core.batch import BATCH_BYTES_MAX, KIND_OPEN, KIND_READ, Batch, parse_whole
from psmr.core.reply import BatchStatus, encode_reply
from psmr.transport import client_protocol as protocol

CONTROL = "inproc://control"


class ScriptedLog:
    """What the replicas agree on: the sessions, and what was executed."""

    def __init__(self, capacity: int = 64) -> None:
        self.sessions = log.Sessions(capacity)
        self.executed: list[bytes] = []
        self._index = 0
        self._lock = threading.Lock()

    def deliver(self, batch: Batch) -> bytes | None:
        """The reply to `batch`, delivered now."""
        with self._lock:
            self._index += 1
            if batch.kind == KIND_OPEN:
                opened = self.sessions.handle(log.Open(self._index, 0))
                assert isinstance(opened, log.Opened)
                return encode_reply(opened.session, batch.session, BatchStatus.OPENED)
            return self._commands(batch)

    def evict_all(self) -> None:
        """Forget every session."""
        with self._lock:
            self.sessions = log.Sessions()

    def _commands(self, batch: Batch) -> bytes | None:
        decision = self.sessions.handle(log.Submit(batch.session, batch.sequence, batch.answered))
        if isinstance(decision, log.Duplicate):
            return decision.reply
        if isinstance(decision, log.OutOfOrder):
            return encode_reply(batch.session, decision.expected, BatchStatus.OUT_OF_ORDER)
        if isinstance(decision, log.Unknown):
            return encode_reply(batch.session, batch.sequence, BatchStatus.UNKNOWN_SESSION)
        self.executed.append(bytes(batch.records) + bytes(batch.blob))
        reply = encode_reply(
            batch.session,
            batch.sequence,
            BatchStatus.EXECUTED,
            batch.stride,
            batch.records,
            batch.count,
            batch.blob,
        )
        self.sessions.handle(log.Executed(batch.session, batch.sequence, reply))
        return reply


class ScriptedReplica:
    """One replica in a thread. The public attributes are its script and may be changed at any time."""

    def __init__(self, identity: int, shared: ScriptedLog) -> None:
        self.identity = identity
        self.leader: int | None = identity
        self.members: list[tuple[int, str]] = []
        self.mismatch: str | None = None
        self.silent = False
        self.lose_submits = 0
        self.lose_replies = 0
        self.refuse = 0
        self.held = False
        self.copies = 1
        self.batch_bytes_max = BATCH_BYTES_MAX
        self.garbage: list[list[bytes]] = []
        self.hellos = 0
        self.reads: list[tuple[int, int, int]] = []  # (session, sequence to wait for, count) of every read received
        self.batches: list[tuple[int, int]] = []  # (sequence, count) of every batch of commands received
        self.received = threading.Semaphore(0)  # released once for every batch of commands received
        self.greeted = threading.Semaphore(0)  # released once for every hello
        self._shared = shared
        self._clients: list[bytes] = []
        self._waiting: list[tuple[bytes, Batch]] = []
        self._actions: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._context = zmq.Context()
        self._router = self._context.socket(zmq.ROUTER)
        self.address = self._bind()
        self._wakes = self._context.socket(zmq.PAIR)
        self._wakes.bind(CONTROL)
        self._waker = self._context.socket(zmq.PAIR)
        self._waker.connect(CONTROL)
        self._stopped = False
        self._thread = threading.Thread(target=self._serve, name=f"replica {identity}")
        self._thread.start()

    def do(self, action: Callable[[], None]) -> None:
        """Have the replica's thread run `action`."""
        self._actions.put(action)
        self._waker.send(b"")

    def release(self) -> None:
        """Answer what was held, and from then on what comes."""
        self.do(self._answer_waiting)

    def move_leader(self, leader: int) -> None:
        """Tell every client that another replica leads now."""
        self.leader = leader
        self.do(lambda: [self._send(client, self._welcome()) for client in self._clients] and None)

    def stop(self) -> None:
        """End the thread and free the port."""
        self.do(self._halt)
        self._thread.join()
        self._context.destroy(linger=0)

    def _bind(self) -> str:
        self._router.bind("tcp://127.0.0.1:*")
        return self._router.getsockopt_string(zmq.LAST_ENDPOINT)

    def _halt(self) -> None:
        self._stopped = True

    def _serve(self) -> None:
        poller = zmq.Poller()
        poller.register(self._router, zmq.POLLIN)
        poller.register(self._wakes, zmq.POLLIN)
        while not self._stopped:
            ready = dict(poller.poll())
            if self._wakes in ready:
                self._wakes.recv()
                self._actions.get()()
            if self._router in ready:
                client, *frames = self._router.recv_multipart()
                self._take(client, frames)

    def _take(self, client: bytes, frames: list[bytes]) -> None:
        request = protocol.decode_request(frames)
        if isinstance(request, protocol.Hello):
            self.hellos += 1
            self.greeted.release()
        if self.silent:
            return
        for garbage in self.garbage:
            self._send(client, garbage)
        if isinstance(request, protocol.Hello):
            self._clients.append(client)
            mismatch = self.mismatch
            self._send(client, self._welcome() if mismatch is None else protocol.encode_mismatch(mismatch))
        elif isinstance(request, protocol.AskStatus):
            self._send(client, protocol.encode_status({"replica": self.identity, "digest": request.digest}))
        else:
            self._take_batch(client, parse_whole(request.batch))

    def _take_batch(self, client: bytes, batch: Batch) -> None:
        if batch.kind == KIND_READ:
            self._take_read(client, batch)
            return
        if batch.kind != KIND_OPEN:
            self.batches.append((batch.sequence, batch.count))
            self.received.release()
            if self.lose_submits:
                self.lose_submits -= 1
                return
            if self.refuse:
                self.refuse -= 1
                reply = encode_reply(batch.session, batch.sequence, BatchStatus.REFUSED, blob=b"busy")
                self._send(client, protocol.encode_reply_message(reply))
                return
            if self.held:
                self._waiting.append((client, batch))
                return
        self._answer(client, batch)

    def _take_read(self, client: bytes, batch: Batch) -> None:
        """Reads are echoed, whatever they wait for; scripted like everything else."""
        self.reads.append((batch.session, batch.sequence, batch.count))
        self.received.release()
        if self.lose_submits:
            self.lose_submits -= 1
            return
        status, body = BatchStatus.READ, (batch.stride, batch.records, batch.count, batch.blob)
        if self.refuse:
            self.refuse -= 1
            status, body = BatchStatus.READ_REFUSED, (0, b"", 0, b"busy")
        reply = encode_reply(batch.session, batch.answered, status, *body)
        for _ in range(self.copies):
            self._send(client, protocol.encode_reply_message(reply))

    def _answer(self, client: bytes, batch: Batch) -> None:
        reply = self._shared.deliver(batch)
        if self.lose_replies and batch.kind != KIND_OPEN:
            self.lose_replies -= 1
            return
        if reply is not None:
            for _ in range(self.copies):
                self._send(client, protocol.encode_reply_message(reply))

    def _answer_waiting(self) -> None:
        self.held = False  # here and not where it was asked: what came meanwhile would be answered before what waits
        waiting, self._waiting = self._waiting, []
        for client, batch in waiting:
            self._answer(client, batch)

    def _welcome(self) -> list[bytes]:
        return protocol.encode_welcome("test", self.identity, self.leader, self.members, self.batch_bytes_max)

    def _send(self, client: bytes, frames: list[bytes]) -> None:
        self._router.send_multipart([client, *frames])


@contextmanager
def scripted_cluster(size: int, leader: int = 0) -> Iterator[tuple[ScriptedLog, list[ScriptedReplica]]]:
    """A cluster of `size` replicas that all know each other and `leader`; none of it is left behind."""
    shared = ScriptedLog()
    replicas = [ScriptedReplica(identity, shared) for identity in range(size)]
    for replica in replicas:
        replica.leader = leader
        replica.members = [(other.identity, other.address) for other in replicas]
    try:
        yield shared, replicas
    finally:
        for replica in replicas:
            replica.stop()
