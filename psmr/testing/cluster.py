"""A cluster of a user's service in one process: production replicas and clients in virtual time, every chance from a seed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any, cast

from cdep import StateMachine
from proxies.decoding import ReplyDecoder
from psmr.client.settings import ServiceIdentity
from psmr.core.roster import Roster
from psmr.core.submission_events import Parts
from psmr.errors import ClusterUnavailable, ConfigurationError
from psmr.lint import HOW_TO_ALLOW, refuse_nondeterminism
from psmr.simulation.cluster.engine import SequentialEngine
from psmr.simulation.cluster.invariants import Watch
from psmr.simulation.cluster.member import SimulatedMember, Surroundings
from psmr.simulation.cluster.operator import seat_of
from psmr.simulation.cluster.trace import ClusterTrace
from psmr.simulation.network import SimulatedNetwork
from psmr.simulation.scheduler import Scheduler
from psmr.testing.asked import duration, several, whole
from psmr.testing.calls import Calls, Written
from psmr.testing.conditions import CALL_US, CONDITIONS
from psmr.testing.effects import Witness, states_told, told
from psmr.testing.engines import RealWorkers, SimulatedWorkers
from psmr.testing.faults import ChosenAdversary, faults_named
from psmr.testing.history import History
from psmr.testing.plain import told_plainly
from psmr.testing.session import session
from psmr.testing.virtual_client import Calling, Connection, VirtualClient
from psmr.verification.machine import Call
from psmr.workload import Application

_REPLICAS_MAX = 7
_CHAOS_US = 1_500_000
_SETTLE_US = 3_000_000


class _Unwatched:
    """What the engine's own simulation watches over; a test of a service is about the service."""

    def __getattr__(self, name: str) -> _Unwatched:
        return self

    def __call__(self, *arguments: object, **named: object) -> None:
        """Nothing is asked."""


def _refuse_nondeterminism(owner: type[StateMachine]) -> None:
    try:
        refuse_nondeterminism(owner)
    except ConfigurationError as error:
        raise ConfigurationError(str(error).replace(HOW_TO_ALLOW, "or run it all the same: lint=False")) from None


class VirtualCluster:
    """Replicas of a service, clients and a network, in this process and in virtual time: quick, and the same for one seed.

        cluster = VirtualCluster(Bank, replicas=3, workers=2)
        history = cluster.run([("deposit", 1, 5), ("deposit", 2, 5)], clients=4)
        cluster.crash(cluster.leader)

    Log, elections, sessions, reads and retries are production code. Handlers run interpreted, their commands in an order that
    so many workers might take, another one on each replica: what C-Dep fails to order comes out differently. With `compiled`, and
    for services with early stages, the engine itself executes, its workers forked from this process; they end with `close`.

    Raises ConfigurationError for what is no service, one whose handlers `psmr cdep lint` complains of (unless `lint` is False),
    or whose state cannot be traced.
    """

    @told_plainly
    def __init__(
        self,
        service: type[StateMachine] | Application,
        *,
        replicas: int = 3,
        workers: int = 2,
        compiled: bool = False,
        seed: int | None = None,
        lint: bool = True,
        folder: Path | None = None,
    ) -> None:
        self._calls = Calls(service)
        self._owner = self._calls.owner
        replicas, workers = whole("replicas", replicas, 1, _REPLICAS_MAX), whole("workers", workers, 1, 16)
        if lint:
            _refuse_nondeterminism(self._owner)
        self.seed = session().seed_for(seed)
        self._workers = workers
        self._compiled = compiled
        self._folder = folder
        self._random = Random(f"{self.seed}/{replicas}/{workers}")
        self._scheduler = Scheduler()
        self._witness = Witness()
        self._engines: dict[int, SimulatedWorkers | RealWorkers] = {}
        self._made: list[Calling] = []
        self._connections: list[Connection] = []
        self._is_told = False
        self._members: list[SimulatedMember] = []
        self._network = SimulatedNetwork(self._scheduler, self._random, CONDITIONS, self._deliver)
        self._trace = ClusterTrace()
        around = Surroundings(
            self._scheduler,
            self._random,
            CONDITIONS,
            self._network,
            cast(Watch, _Unwatched()),
            self._trace,
            self._reply,
            lambda member: None,
            self._engine,
        )
        founders = Roster(tuple(map(seat_of, range(replicas))))
        try:
            for me in range(replicas):
                self._members.append(SimulatedMember(me, founders, around))
        except BaseException:
            self.close()
            raise

    @property
    def replicas(self) -> list[int]:
        """Their numbers, from 0."""
        return [member.me for member in self._members]

    @property
    def leader(self) -> int | None:
        """The replica that leads in the highest term, None if none does now."""
        leading = [member for member in self._members if member.leads]
        return max(leading, key=lambda member: member.term).me if leading else None

    @property
    def history(self) -> History:
        """All calls of all clients so far, in the order in which they were made."""
        operations = (calling.operation() for calling in self._made)
        return History((one for one in operations if one is not None), self._owner, self.seed, self._folder)

    @property
    def digest(self) -> str:
        """Of all that happened so far, and when: equal for equal seeds and calls."""
        return self._trace.digest

    def client(self) -> VirtualClient:
        """A client more, with a session of its own: `client.deposit(1, 5)`. A call moves virtual time on."""
        connection = self._connect()

        @told_plainly
        def call(written: Written) -> Any:
            calling = self._begin(connection, self._calls.read(written))
            self._scheduler.run_until(self._scheduler.now_us + 2 * CALL_US, lambda: calling.is_told)
            return calling.result()

        return VirtualClient(self._calls, call)

    @told_plainly
    def run(
        self,
        calls: Iterable[Written] | int,
        *,
        clients: int = 4,
        seed: int | None = None,
        faults: Sequence[str] | bool = False,
    ) -> History:
        """Have calls made by so many clients at once, each its next when the last was answered; the history so far.

        `calls`: a list, dealt out in turn, or how many to make up, with arguments that meet. `seed`: for them and for when each is
        made; by default the cluster's. `faults`: "crash", "partition", or True for both: replicas crash, lose what was not
        synced and start again, or are cut off, at random moments for the first 1.5 s of virtual time, then no more.

        In the end all replicas are brought up to date and compared, as `check` does. Raises AssertionError where they differ.
        """
        random = self._random if seed is None else Random(f"{session().seed_for(seed)}/calls")
        chosen = faults_named(faults)
        made = self._calls.wanted(calls, random)
        clients = whole("clients", clients, 1)
        first = len(self._made)
        for number in range(clients):
            self._think(self._connect(), iter(made[number::clients]), random)
        adversary = self._adversary(chosen, random) if chosen else None
        limit_us = self._scheduler.now_us + (len(made) + 1) * CALL_US + _CHAOS_US

        def is_done() -> bool:
            return len(self._made) == first + len(made) and all(one.is_told for one in self._made[first:])

        is_told = self._scheduler.run_until(limit_us, is_done) if made else True
        if adversary is not None:
            adversary.stop()
        if not is_told:
            raise ClusterUnavailable(
                f"expected every call to be answered or given up on, found that none was for {limit_us} µs"
            )
        self.check()
        return self.history

    @told_plainly
    def check(self) -> None:
        """Bring the replicas that run up to date, and compare what each command did on each, and their states.

        Raises AssertionError with the first command of the log that did something else somewhere, once.
        """
        settled = self._settled()
        if self._is_told:
            return
        if self._witness.difference is not None:
            lines = told(self._owner, self._witness.calls, self._witness.difference)
        else:
            states = {f"replica {member.me}": self._engines[member.me].state() for member in settled}
            lines, _ = states_told(self._owner, states)
        if lines:
            self._is_told = True
            raise AssertionError("\n".join([*lines, f"seed {self.seed}"]))

    @told_plainly
    def crash(self, replica: int | None) -> None:
        """Stop a replica at once; what its disk had not synced may be lost."""
        member = self._member(replica)
        if member.is_up:
            member.crash()

    @told_plainly
    def restart(self, replica: int | None) -> None:
        """Start a replica that was stopped, from what its disk holds."""
        member = self._member(replica)
        if not member.is_up:
            member.start()

    @told_plainly
    def partition(self, *sides: Iterable[int]) -> None:
        """From now on nothing passes between replicas of different sides; those named in none are a side of their own."""
        named = [{self._member(each).me for each in several("the replicas of a side", side)} for side in sides]
        twice = [each for each in self.replicas if sum(each in side for side in named) > 1]
        if twice:
            raise ConfigurationError(f"expected each replica on one side, found {twice} on several: name each once")
        rest = set(self.replicas) - {each for side in named for each in side}
        side_of = {each: number for number, side in enumerate([*named, rest]) for each in side}
        for one in self.replicas:
            for other in self.replicas:
                if side_of[one] != side_of[other]:
                    self._network.cut(one, other)

    def heal(self) -> None:
        """Everything passes between the replicas again."""
        self._network.mend()

    @told_plainly
    def elapse(self, seconds: float) -> None:
        """Let virtual time pass."""
        passes_us = int(duration("virtual time", seconds, may_be_none=True) * 1e6)
        self._scheduler.run_until(self._scheduler.now_us + passes_us)

    def close(self) -> None:
        """End what runs; harmless when nothing does."""
        for engine in self._engines.values():
            engine.close()
        self._engines.clear()

    def _connect(self) -> Connection:
        addresses = [f"sim://{member}" for member in self.replicas]
        self._random.shuffle(addresses)
        layout, service = self._calls.layout, self._calls.service
        identity = ServiceIdentity(service.name, service.fingerprint, layout.stride)
        me = len(self._connections)
        connection = Connection(me, addresses, identity, self._scheduler, self._random, CONDITIONS, self._request)
        self._connections.append(connection)
        return connection

    def _begin(self, connection: Connection, call: Call) -> Calling:
        """Have a client make a call now."""
        proxy, layout = self._calls.proxies[call.command], self._calls.layout
        decoder = ReplyDecoder(layout.command(call.command), layout.reply_stride)
        scheduler = self._scheduler
        calling = Calling(connection.me, call, scheduler.now_us, lambda: scheduler.now_us, decoder, proxy.reads)
        self._made.append(calling)
        encoded = proxy.one(call.arguments)
        connection.submit(calling, Parts(encoded.records, encoded.count, encoded.blob))
        return calling

    def _think(self, connection: Connection, calls: Iterator[Call], random: Random) -> None:
        """Have a client make its next call in a while, and so on when that is told."""
        self._scheduler.after(CONDITIONS.think.draw_us(random), self._go_on, connection, calls, random)

    def _go_on(self, connection: Connection, calls: Iterator[Call], random: Random) -> None:
        call = next(calls, None)
        if call is not None:
            calling = self._begin(connection, call)
            calling.when_told = lambda: self._think(connection, calls, random)

    def _adversary(self, chosen: Sequence[str], random: Random) -> ChosenAdversary:
        adversary = ChosenAdversary(
            chosen, self._scheduler, random, CONDITIONS, self._network, self._members, self._trace
        )
        self._scheduler.after(_CHAOS_US, adversary.stop)
        return adversary

    def _settled(self) -> list[SimulatedMember]:
        """The replicas that run and can be brought up to date, when they are."""

        def behind() -> bool:
            up = [member for member in self._members if member.is_up]
            newest = max((member.store.last_index for member in up), default=0)
            return any(member.delivered < newest or not member.is_idle for member in up)

        self._scheduler.run_until(self._scheduler.now_us + _SETTLE_US, lambda: not behind())
        up = [member for member in self._members if member.is_up and member.is_idle]
        newest = max((member.delivered for member in up), default=0)
        return [member for member in up if member.delivered == newest]

    def _engine(self, member: SimulatedMember) -> SequentialEngine:
        """What a replica executes with, from its start on."""
        before = self._engines.pop(member.me, None)
        if before is not None:
            before.close()
        where = f"replica {member.me}"
        if self._compiled or self._calls.service.is_staged:
            made: SimulatedWorkers | RealWorkers = RealWorkers(
                self._owner, self._workers, self._witness, where, compiled=self._compiled
            )
        else:
            random = Random(self._random.random())
            made = SimulatedWorkers(self._owner, self._workers, random, self._witness, where)
        self._engines[member.me] = made
        return cast(SequentialEngine, made)

    def _deliver(self, to: int, sender: int, message: Any, payloads: tuple[Any, ...]) -> None:
        self._members[to].receive(sender, message, payloads)

    def _request(self, to: int, connection: bytes, frames: list[bytes]) -> None:
        self._members[to].request(connection, frames)

    def _reply(self, sender: int, connection: bytes, frames: list[bytes]) -> None:
        self._connections[int(connection.partition(b".")[0])].reply(connection, frames)

    def _member(self, replica: int | None) -> SimulatedMember:
        if replica not in self.replicas:
            raise ConfigurationError(f"expected a replica among {self.replicas}, found {replica!r}: give one of them")
        return self._members[replica]

    def __enter__(self) -> VirtualCluster:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
