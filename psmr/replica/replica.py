"""One replica: takes batches in, has them ordered, delivers what is committed, answers those it took in.

    clients ──SUBMIT──► ingress checks ──► OrderedLog.append
                                              │ committed
    clients ◄──REPLY── routes ◄── Delivery ◄──┘ sessions, engine, workers
                                     ▲
    clients ──READ──► Reads ─────────┘ once OrderedLog.confirm has said up to where

One thread, one loop: do everything that is ready, then sleep until a socket, a finished write, a worker or the clock wakes it.
Whoever ordered a batch, the replica that its client last spoke to answers it.
"""

from __future__ import annotations

import logging
import os
import select
from collections.abc import Callable, Container
from typing import Any

from psmr.core.batch import KIND_READ, Batch, MalformedBatch, parse_whole
from psmr.core.changes import Action
from psmr.core.override import Override
from psmr.core.reply import SEQUENCE_UNUSED, BatchStatus, encode_reply
from psmr.core.roster import Seat
from psmr.errors import Refused
from psmr.log.port import LogStatus, News, OrderedLog
from psmr.replica.delivery import Delivery
from psmr.replica.event_stream import EventAsks, EventStream
from psmr.replica.parting import Parting
from psmr.replica.reads import PATIENCE_US, Read, ReadCheck, Reads
from psmr.replica.routes import Routes
from psmr.replica.snapshots import SnapshotPlan
from psmr.replica.versions import version_for
from psmr.transport.client_port import ChangeAsked, ClientPort, EventsAsked, Greeted, StatusAsked, Submitted
from psmr.transport.client_protocol import AskChange, AskUpgrade

DELIVER_BYTES = 4 << 20
ENTRIES_AHEAD_BYTES = 1 << 20
REQUESTS_PER_TURN = 64
COLLECT_US = 5_000
"""After so long at the latest replies are collected for which nobody here waits."""
HOLD_US = 5_000
"""So long commands whose replies nobody here waits for are held back from the workers, for the company of others."""
HOLD_BATCHES = 4
_NEVER_US = 1 << 62
_log = logging.getLogger("psmr.replica")


class WorkerDied(Exception):
    """A worker process ended by itself: the replica must start again from its log.

    `is_idle`: nothing was being executed, so no command can be to blame.
    """

    def __init__(self, text: str, *, is_idle: bool) -> None:
        super().__init__(text)
        self.is_idle = is_idle


class Replica:
    """The loop of one replica. `stop()` may be called from a signal handler."""

    def __init__(
        self,
        identity: dict[str, Any],
        log: OrderedLog,
        delivery: Delivery,
        port: ClientPort,
        clock_us: Callable[[], int],
        snapshots: SnapshotPlan | None = None,
        events: EventStream | None = None,
        override: Override | None = None,
        parting: Parting | None = None,
    ) -> None:
        engine = delivery.engine
        self._identity = identity
        self._log = log
        self._engine = engine
        self._port = port
        self._inbox = port.inbox
        self._clock_us = clock_us
        self._routes = Routes()
        self._delivery = delivery
        self._snapshots = snapshots
        self._events = events
        self._stream = events if events is not None and events.log is not None else None
        self._override = override
        self._event_asks = EventAsks(events)
        self._parting = parting
        self._reads = Reads()
        self._read_check = ReadCheck(engine.service, engine.layout.stride)
        self._digest_asked: list[bytes] = []
        self._publish_at_us = _NEVER_US
        self._stopping = False
        self._started_us = clock_us()

    @property
    def delivery(self) -> Delivery:
        """What was delivered; to be looked at, not driven."""
        return self._delivery

    @property
    def is_stopping(self) -> bool:
        """Whether it was told to stop."""
        return self._stopping

    def stop(self) -> None:
        """End the loop at its next turn."""
        self._stopping = True

    def run(self) -> None:
        """Serve until stopped. Raises WorkerDied, VersionReached, ReplicaParted, and what the log raises when its disk fails."""
        sentinels = set(self._engine.sentinels)
        ready: set[Any] = set()
        with select.epoll() as epoll:
            for source in self._sources():
                epoll.register(source, select.EPOLLIN)
            while not self._stopping:
                deadline_us = self.turn(ready)
                if self._engine.outstanding:
                    deadline_us = min(deadline_us, self._collect_at_us())
                wait_ms = min(max(0, deadline_us - self._clock_us() + 999) // 1000, 1000)
                ready = {source for source, _ in epoll.poll(wait_ms / 1000)}
                if self._engine.bell in ready:
                    self._engine.silence_bell()
                if not sentinels.isdisjoint(ready):
                    self._worker_died()

    def _collect_at_us(self) -> int:
        """When to look for replies at the latest; when somebody waits for them the workers ring, unless some are there."""
        if not self._somebody_waits:
            return self._clock_us() + COLLECT_US
        return _NEVER_US if self._engine.want_bell() else 0

    @property
    def _somebody_waits(self) -> bool:
        """Whether replies are to be collected as soon as they are there.

        A replica that nobody talks to, a follower as a rule, does so when it has something else to do: to be woken for each
        batch once more would cost as much as ordering it.
        """
        if self._routes or self._reads.held_bytes or self._delivery.reads:
            return True
        return not self._delivery.wants_entries or self._wants_quiet

    def _sources(self) -> list[int]:
        """Descriptors that are readable when there is something to do."""
        more = self._snapshots.sources() if self._snapshots is not None else []
        return [self._inbox, *self._log.sources(), self._engine.bell, *self._engine.sentinels, *more]

    def turn(self, ready: Container[Any]) -> int:
        """Everything that is ready, once; when to take the next turn at the latest."""
        port, log, delivery, reads = self._port, self._log, self._delivery, self._reads
        if port.has_received or self._inbox in ready:
            self._take_requests()
        if reads.held_bytes and reads.wants_confirmation:
            self._ask_for_reads()
        now_us = self._clock_us()
        deadline_us = log.step(now_us, ready)
        if reads.held_bytes:
            deadline_us = min(deadline_us, reads.next_due_us)
        news = log.take_news()
        if news is not None:
            self._tell(news)
        if self._override is not None:
            self._record_override(self._override)
        if reads.held_bytes:
            self._take_confirmed(now_us)
        if not delivery.idle:
            self._answer()
        if reads.held_bytes:
            self._start_reads()
        delivery.is_eager = self._stream is not None or self._somebody_waits
        known = delivery.delivered
        more = log.committed > known and self._deliver()
        if (reads.held_bytes and self._start_reads()) or delivery.delivered != known:
            self._answer()
        now_us = self._clock_us()
        if self._engine.unpublished or self._publish_at_us != _NEVER_US:
            deadline_us = min(deadline_us, self._publish_held())
        if self._stream is not None and (asked_us := self._answer_events(self._stream, now_us)) < deadline_us:
            deadline_us = asked_us
        if self._parting is not None and (told_us := self._parting.turn(now_us)) < deadline_us:
            deadline_us = told_us
        if self._wants_quiet and self._delivery.idle:
            self._use_quiet()
        if self._snapshots is not None:
            self._snapshots.settle(delivery, self._engine, log)
        port.flush()
        return 0 if more or port.has_received or (reads.held_bytes and reads.wants_confirmation) else deadline_us

    def _publish_held(self) -> int:
        """Let workers have what was held back, once it is enough or old; when to do so at the latest.

        A worker that is woken for a single command costs more than the command. Where somebody waits nothing is held.
        """
        held = self._engine.unpublished
        if held and not self._delivery.is_eager:
            now_us = self._clock_us()
            self._publish_at_us = min(self._publish_at_us, now_us + HOLD_US)
            if held < HOLD_BATCHES and now_us < self._publish_at_us:
                return self._publish_at_us
        if held:
            self._engine.publish()
        self._publish_at_us = _NEVER_US
        return _NEVER_US

    @property
    def _wants_quiet(self) -> bool:
        """Whether nothing more is to be delivered until everything delivered is executed: for a digest, or a snapshot."""
        if self._digest_asked:
            return True
        return self._snapshots is not None and self._snapshots.wants_quiet(self._delivery)

    def _use_quiet(self) -> None:
        if self._digest_asked:
            self._answer_digests()
        if self._snapshots is not None and self._snapshots.wants_quiet(self._delivery):
            self._snapshots.begin(self._delivery, self._engine, self._log)

    def _tell(self, news: News) -> None:
        """Tell those that wait here who leads now and who belongs to the cluster: a leader's clients need not find out alone."""
        self._port.meet(news.clients)
        if news.leader is not None:
            for connection in self._routes.connections():
                self._port.welcome(Greeted(connection), news.leader)

    def _record_override(self, override: Override) -> None:
        """Have the log say, once, that this service runs although its handlers may make replicas differ."""
        if any(each.override.fingerprint == override.fingerprint for each in self._delivery.overrides):
            self._override = None
        else:
            self._log.record(override)

    def _take_requests(self) -> None:
        for _ in range(REQUESTS_PER_TURN):
            request = self._port.receive()
            if request is None:
                return
            if isinstance(request, Submitted):
                self._take_batch(request)
            elif isinstance(request, StatusAsked) and request.digest:
                self._digest_asked.append(request.connection)
            elif isinstance(request, StatusAsked):
                self._port.send_status(request.connection, self.status())
            elif isinstance(request, ChangeAsked):
                self._take_wish(request)
            elif isinstance(request, EventsAsked):
                self._take_events_asked(request)
            else:
                self._port.welcome(request, self._log.leader)

    def _take_wish(self, asked: ChangeAsked) -> None:
        """Do as an operator wants, if this replica leads and it may be done now."""
        wish = asked.wish
        try:
            done = self._upgrade(wish) if isinstance(wish, AskUpgrade) else self._change_members(wish)
        except Refused as refused:
            self._port.answer_change(asked, False, str(refused))
        else:
            self._port.answer_change(asked, True, f"{done}: under way")

    def _change_members(self, wish: AskChange) -> str:
        try:
            action = Action(wish.action)
        except ValueError:
            raise Refused(f'expected "add", "promote" or "remove", found {wish.action!r}') from None
        self._log.change_members(action, Seat(wish.replica, wish.peers, wish.clients))
        return f"{action.value} replica {wish.replica}"

    def _upgrade(self, wish: AskUpgrade) -> str:
        if self._snapshots is None:
            raise Refused("this replica takes no snapshots, and another version begins with one")
        version = version_for(wish, self._delivery, self._log.status())
        self._log.take_over(version)
        return f"{version} takes over"

    def _take_batch(self, request: Submitted) -> None:
        """Check as a courtesy to the client (delivery checks for the cluster), remember who asked, have it ordered.

        A batch of another version is ordered too: it may have been executed before this version took over, and be sent again
        for its reply, or this replica may not have come to the version that executes it. Delivery knows.
        """
        try:
            batch = parse_whole(request.batch)
        except MalformedBatch as error:
            self._port.malformed += 1
            self._port.error(request.connection, str(error))
            return
        if batch.kind == KIND_READ:
            self._take_read(request, batch)
            return
        self._routes.learn(batch.session, request.connection)
        try:
            self._log.append(request.batch)
        except Refused as refused:
            self._refuse(request, batch.session, batch.sequence, BatchStatus.REFUSED, str(refused))

    def _take_read(self, request: Submitted, batch: Batch) -> None:
        read = Read(request.connection, batch, self._clock_us() + PATIENCE_US)
        try:
            self._read_check.check(batch)
            self._reads.take(read)
        except MalformedBatch as error:
            self._port.malformed += 1
            self._end_read(read, BatchStatus.READ_MALFORMED, str(error))
        except Refused as refused:
            self._end_read(read, BatchStatus.READ_REFUSED, str(refused))

    def _end_read(self, read: Read, status: BatchStatus, text: str) -> None:
        self._port.reply(read.connection, encode_reply(read.batch.session, read.number, status, blob=text.encode()))

    def _ask_for_reads(self) -> None:
        """One question for all the reads that came since the last."""
        token = self._reads.ask()
        try:
            self._log.confirm(token)
        except Refused as refused:
            self._reads.confirm(token, None)
            for read in self._reads.refuse_new():
                self._end_read(read, BatchStatus.READ_REFUSED, str(refused))

    def _take_confirmed(self, now_us: int) -> None:
        for token, index in self._log.take_confirmed():
            self._reads.confirm(token, index)
        for read in self._reads.overdue(now_us):
            text = (
                f"it was not known within {PATIENCE_US / 1000:g} ms up to where this replica must have come; try again"
            )
            self._end_read(read, BatchStatus.READ_REFUSED, text)

    def _start_reads(self) -> bool:
        """Hand reads to delivery that have waited for enough, if any; all delivered so far must have been decided for that."""
        if not (self._reads.confirmed and self._delivery.wants_entries) or self._wants_quiet:
            return False
        ready = self._reads.ready(self._delivery.delivered, self._delivery.sessions)
        if ready:
            self._delivery.read(*ready)
        return bool(ready)

    def _refuse(self, request: Submitted, session: int, sequence: int, status: BatchStatus, text: str) -> None:
        reply = encode_reply(session, sequence, status, blob=text.encode(), detail=SEQUENCE_UNUSED)
        self._port.reply(request.connection, reply)

    def _deliver(self) -> bool:
        """Hand committed entries to delivery while it wants them; whether more are waiting that it would take."""
        log, delivery = self._log, self._delivery
        if log.committed <= delivery.delivered or self._wants_quiet or not delivery.wants_entries:
            return False
        delivery.deliver(log.read(delivery.delivered + 1, DELIVER_BYTES))
        return delivery.wants_entries and log.committed > delivery.delivered

    def _answer(self) -> None:
        for answer in self._delivery.collect():
            connection = answer.connection or self._routes.find(answer.to)
            if connection is not None:
                self._port.reply(connection, answer.reply)
        self._port.flush()

    def _take_events_asked(self, request: EventsAsked) -> None:
        try:
            self._event_asks.take(request.connection, request.asked, self._clock_us())
        except Refused as refused:
            self._port.error(request.connection, str(refused))

    def _answer_events(self, stream: EventStream, now_us: int) -> int:
        """Write what was emitted, and send it to those who wait for it; when to look again at the latest."""
        stream.flush()
        asks = self._event_asks
        if not asks.waiting:
            return _NEVER_US
        for connection, found in asks.answers(now_us):
            self._port.send_events(connection, found)
        return 0 if asks.wants_turn else asks.next_due_us

    def _answer_digests(self) -> None:
        digests = {
            "digest": f"{self._engine.digest():016x}",
            "sessions_digest": f"{self._delivery.sessions.digest():016x}",
        }
        for connection in self._digest_asked:
            self._port.send_status(connection, {**self.status(), **digests})
        self._digest_asked.clear()

    def _worker_died(self) -> None:
        dead = self._engine.dead()
        if dead and not self._stopping:
            ends = (f"worker {number} ended ({_cause(code)}) {self._engine.place_of(number)}" for number, code in dead)
            raise WorkerDied("; ".join(ends), is_idle=self._engine.outstanding == 0)

    def status(self) -> dict[str, Any]:
        """Where this replica stands, for people and programs: plain numbers, texts and lists."""
        log = self._log.status()
        counters = self._engine.counters()
        counts = self._delivery.counts
        return {
            **self._identity,
            "pid": os.getpid(),
            "role": log.role,
            "term": log.term,
            "leader": log.leader,
            "first_index": log.first_index,
            "last_index": log.last_index,
            "committed": log.committed,
            "delivered": self._delivery.delivered,
            "executed": sum(counters.commands),
            "commands": counts.commands,
            "batches": counts.batches,
            "reads": counts.reads,
            "confirmations": self._reads.confirmations,
            "duplicates": counts.duplicates,
            "malformed": counts.malformed + self._port.malformed + log.malformed,
            "synchronous_commands": counters.synchronous_commands,
            "barriers": sum(counters.synchronous),
            "run_on": sum(counters.run_on),
            "batches_together": counters.choices.parallel,
            "batches_alone": counters.choices.alone,
            "batches_to_compare": counters.choices.trials,
            "rounds": max(counters.rounds),
            "waited": sum(counters.waited),
            "workers": list(counters.commands),
            "sessions": len(self._delivery.sessions),
            "memory_bytes": self._engine.memory.state_bytes(),
            **self._about_events(),
            **self._about_snapshots(log),
            "overrides": [each.document() for each in self._delivery.overrides],
            **(self._parting.status() if self._parting is not None else {}),
            "uptime_us": self._clock_us() - self._started_us,
        }

    def _about_events(self) -> dict[str, Any]:
        if self._events is None or self._events.log is None:
            return {}
        return {"events": self._events.position, "earliest_event": self._events.log.earliest}

    def _about_snapshots(self, log: LogStatus) -> dict[str, Any]:
        plan = self._snapshots
        taken = (
            {"snapshot_index": plan.index, "snapshots": plan.count, "snapshot_bytes": plan.size_bytes} if plan else {}
        )
        failed = {"snapshot_failure": plan.failure} if plan and plan.failure else {}
        return {
            **taken,
            **failed,
            "fetching": list(log.fetching) if log.fetching else None,
            "members": [
                {"id": m.id, "clients": m.clients, "votes": m.votes, "match": m.match_index} for m in log.members
            ],
            "members_since": log.members_since,
        }


def _cause(code: int | None) -> str:
    return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
