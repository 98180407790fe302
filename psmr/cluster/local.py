"""A cluster of replica processes on this machine that leaves nothing behind: for tests, demonstrations, benchmarks."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from cdep import Service, StateMachine
from psmr.cluster.folders import TemporaryFolder
from psmr.cluster.members import CHANGE_TIMEOUT_S, Membership
from psmr.cluster.processes import ReplicaProcess, stop_all
from psmr.cluster.status import ReplicaStatus, ask, ask_one
from psmr.cluster.upgrade import UPGRADE_TIMEOUT_S, Upgrade
from psmr.config import ClusterConfig, Tuning, local_cluster, with_replica
from psmr.core.roster import Seat
from psmr.errors import ClusterUnavailable, ConfigurationError, PsmrError, Violation
from psmr.lint import refuse_nondeterminism
from psmr.services import service_text

_MEANT_BY: dict[int, type[PsmrError]] = {2: ConfigurationError, 4: Violation}
"""The error that a replica's exit code stands for."""
READY_TIMEOUT_S = 180.0
"""Long, for the first start of a service compiles it; a replica that ends is noticed at once."""
STOP_GRACE_S = 5.0
_POLL_S = 0.05
_SAY_S = 5.0


class LocalCluster:
    """Replicas of a service as child processes, started on entering, stopped and removed on leaving.

    `service` is a class that can be imported, or a text for `psmr.services`. Data, logs and the cluster's file lie in
    `folder`, which stays; without one in a temporary folder, which goes, even if this process is killed. Enter it in
    a thread that outlives it (the kernel kills the replicas when that thread ends); use it from one thread at a time.
    `variables` are added to the environment of every replica. `seen_by` gives each a file of its own: the same cluster, with its
    own source, for one. A service in which `psmr cdep lint` finds what makes replicas differ is refused, unless `lint` is "off".

        with LocalCluster("apps.kv:KV") as cluster:
            cluster.wait_ready()
            ...
            cluster.kill(cluster.leader())
    """

    def __init__(
        self,
        service: str | type[StateMachine],
        *,
        name: str = "local",
        replicas: int = 3,
        workers: int = 2,
        durability: str = "disk",
        execution: str = "compiled",
        lint: str = "on",
        tuning: Tuning | None = None,
        folder: Path | None = None,
        variables: Mapping[str, str] | None = None,
        seen_by: Callable[[ClusterConfig, int], ClusterConfig] | None = None,
    ) -> None:
        self._service = service if isinstance(service, str) else service_text(service)
        self._name = name
        self._sizes = (replicas, workers)
        self._durability = durability
        self._execution = execution
        self._lint = lint
        self._owner = None if isinstance(service, str) else service
        self._tuning = tuning
        self._given_folder = folder
        self._variables = dict(variables or {})
        self._seen_by = seen_by
        self._processes: dict[int, ReplicaProcess] = {}
        self._wanted: set[int] = set()
        self._departed: list[Path] = []
        self._stack = ExitStack()
        self._config: ClusterConfig | None = None
        self._lifeline: int | None = None

    def __enter__(self) -> LocalCluster:
        if self._owner is not None and self._lint == "on":
            # Each replica would find out by itself; found here, nothing is started for it.
            refuse_nondeterminism(self._owner)
        with ExitStack() as stack:
            folder, lifeline = self._given_folder, None
            if folder is None:
                temporary = TemporaryFolder()
                stack.callback(temporary.close)
                folder, lifeline = temporary.path, temporary.lifeline
            stack.callback(self._stop_all)
            self._config = self._configure(folder)
            self._write_file()
            self._lifeline = lifeline
            for replica in self._config.replicas:
                self._processes[replica.id] = self._process_of(replica.id)
            for number in self._processes:
                self.start(number)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def config(self) -> ClusterConfig:
        """What the cluster was made as; only once it is entered."""
        if self._config is None:
            raise ConfigurationError(
                "LocalCluster: expected to be entered, found it outside its `with`: enter it first"
            )
        return self._config

    @property
    def folder(self) -> Path:
        """Where everything of it lies."""
        return self.config.data

    @property
    def file(self) -> Path:
        """The cluster's TOML file."""
        return self.folder / "cluster.toml"

    @property
    def ids(self) -> list[int]:
        """The replicas' ids."""
        return [replica.id for replica in self.config.replicas]

    @property
    def addresses(self) -> list[str]:
        """Where clients reach the replicas, in the order of their ids."""
        return [replica.clients for replica in self.config.replicas]

    def process(self, replica_id: int) -> ReplicaProcess:
        """The process of a replica: its id, log, exit code."""
        return self._processes[self.config.replica(replica_id).id]

    def join(self) -> int:
        """Start one replica more, with an empty folder, that waits to be added (`membership().add`); its id."""
        number = max(self._processes) + 1
        self._config = with_replica(self.config, number, self._sizes[1])
        self._write_file()
        self._processes[number] = self._process_of(number, joins=True)
        self.start(number)
        return number

    def retire(self, replica_id: int) -> None:
        """Kill a replica that was removed from the membership, and know it no longer; its folder is among `departed`."""
        self.kill(replica_id)
        self._departed.append(self.config.folder(replica_id))
        left = tuple(each for each in self.config.replicas if each.id != replica_id)
        self._config = replace(self.config, replicas=left)
        self._write_file()

    @property
    def departed(self) -> list[Path]:
        """The folders of replicas that were retired."""
        return self._departed.copy()

    def seat(self, replica_id: int) -> Seat:
        """Where a replica is reached, as `membership().add` wants it."""
        replica = self.config.replica(replica_id)
        return Seat(replica.id, replica.peers, replica.clients)

    def membership(self, timeout_s: float = CHANGE_TIMEOUT_S) -> Membership:
        """To look at the members and change them."""
        addresses = {each.id: each.clients for each in self.config.replicas}
        return Membership(addresses, timeout_s=timeout_s, silence_s=timeout_s)

    def upgrade(self, service: Service, timeout_s: float = UPGRADE_TIMEOUT_S) -> list[ReplicaStatus]:
        """Have another version of the service take over, whose source is in place; how the replicas stand then."""
        return Upgrade({each.id: each.clients for each in self.config.replicas}, service, timeout_s=timeout_s).run()

    def start(self, replica_id: int) -> None:
        """Start a replica that was stopped or killed; its data is where it left it."""
        self.process(replica_id).start()
        self._wanted.add(replica_id)

    def stop(self, replica_id: int) -> None:
        """Ask a replica to stop, wait for its end, and kill it if that takes too long."""
        stop_all([self.process(replica_id)], STOP_GRACE_S)
        self._wanted.discard(replica_id)

    def kill(self, replica_id: int) -> None:
        """SIGKILL a replica, and wait for its end."""
        self.process(replica_id).kill()
        self._wanted.discard(replica_id)

    def expect_end(self, replica_id: int) -> None:
        """From now until it is started again it is no error that this replica ends by itself."""
        self.process(replica_id)
        self._wanted.discard(replica_id)

    def pause(self, replica_id: int) -> None:
        """Hold a replica as if its machine hung."""
        self.process(replica_id).pause()

    def resume(self, replica_id: int) -> None:
        """Let a paused replica go on."""
        self.process(replica_id).resume()

    def status(self, replica_id: int, *, digest: bool = False) -> ReplicaStatus:
        """A replica's status; ClusterUnavailable if it does not answer."""
        return ask_one(self.config.replica(replica_id).clients, digest=digest)

    def statuses(self, *, digest: bool = False) -> list[ReplicaStatus]:
        """Every replica's status, unreachable ones marked so; those that do not run are not waited for."""
        addresses = {replica.id: replica.clients for replica in self.config.replicas}
        running = {number: address for number, address in addresses.items() if self._processes[number].running}
        found = {status.id: status for status in ask(running, digest=digest)}
        return [
            found.get(number) or ReplicaStatus(number, address, None, "not running")
            for number, address in addresses.items()
        ]

    def leader(self) -> int | None:
        """The replica that leads in the highest term of those that answer, or None."""
        leading = [status for status in self.statuses() if status.get("role") == "leader"]
        return max(leading, key=lambda status: int(status.get("term"))).id if leading else None

    def check(self) -> None:
        """Raise what made a replica end that was neither stopped nor killed from here, with its last words."""
        for number in sorted(self._wanted):
            process = self.process(number)
            if not process.running:
                kind = _MEANT_BY.get(process.exit_code or 0, ClusterUnavailable)
                raise kind(f"expected replica {number} to run, found: {process.obituary()}")

    def wait_ready(
        self, timeout_s: float = READY_TIMEOUT_S, still_waiting: Callable[[list[int]], None] | None = None
    ) -> int:
        """Wait until every replica that was started answers and agrees on a leader, and return the leader.

        `still_waiting` is told every few seconds which of them do not answer yet. Raises ClusterUnavailable after that time,
        and at once what `check` raises.
        """
        if not self._wanted:
            raise ClusterUnavailable("expected running replicas to wait for, found none: start one")
        said = time.monotonic()
        deadline = said + timeout_s
        while True:
            self.check()
            statuses = ask({number: self.config.replica(number).clients for number in sorted(self._wanted)})
            leader = _agreed_leader(statuses)
            if leader is not None:
                return leader
            if time.monotonic() >= deadline:
                raise ClusterUnavailable(self._not_ready(statuses, timeout_s))
            if still_waiting is not None and time.monotonic() >= said + _SAY_S:
                said = time.monotonic()
                still_waiting([int(status.id or 0) for status in statuses if not status.reachable])
            time.sleep(_POLL_S)

    def _configure(self, folder: Path) -> ClusterConfig:
        folder.mkdir(parents=True, exist_ok=True)
        replicas, workers = self._sizes
        return local_cluster(
            self._name,
            self._service,
            folder,
            token=secrets.token_hex(4),
            replicas=replicas,
            workers=workers,
            durability=self._durability,
            execution=self._execution,
            lint=self._lint,
            tuning=self._tuning,
        )

    def _process_of(self, replica_id: int, *, joins: bool = False) -> ReplicaProcess:
        log = self.folder / f"replica-{replica_id}.log"
        return ReplicaProcess(
            self._file_of(replica_id), replica_id, log, lifeline=self._lifeline, variables=self._variables, joins=joins
        )

    def _file_of(self, replica_id: int) -> Path:
        if self._seen_by is None:
            return self.file
        own = self.file.with_name(f"cluster-{replica_id}.toml")
        own.write_text(self._seen_by(self.config, replica_id).to_toml(), encoding="utf-8")
        return own

    def _write_file(self) -> None:
        """At once: a replica that starts, or starts again by itself, reads the one or the other."""
        new = self.file.with_name("cluster.toml.new")
        new.write_text(self.config.to_toml(), encoding="utf-8")
        new.replace(self.file)

    def _stop_all(self) -> None:
        stop_all(list(self._processes.values()), STOP_GRACE_S)

    def _not_ready(self, statuses: list[ReplicaStatus], timeout_s: float) -> str:
        found = "; ".join(
            f"replica {status.id} {status.get('role') or status.problem}"
            + (f" ({line})" if (line := self._processes[int(status.id or 0)].last_line()) else "")
            for status in statuses
        )
        return f"expected {len(statuses)} replicas with one leader within {timeout_s:g} s, found: {found}"


def _agreed_leader(statuses: list[ReplicaStatus]) -> int | None:
    """The leader, if all answered, name the same one, and it knows itself to lead."""
    leaders = {status.get("leader") for status in statuses}
    if len(leaders) != 1 or not all(status.reachable for status in statuses):
        return None
    (leader,) = leaders
    return leader if any(status.id == leader and status.get("role") == "leader" for status in statuses) else None
