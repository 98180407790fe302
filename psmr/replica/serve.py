"""A replica's process, from configuration to exit code: the one place where everything is put together.

Order matters. The data folder is claimed first, so that a second process finds out at once. Then the workers are forked,
while this process has neither threads nor sockets. Then log and sockets are opened, and the loop runs.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import time
from contextlib import ExitStack
from types import FrameType

import xxhash

from cdep import Service, StateMachine, service_of
from psmr.config import ClusterConfig
from psmr.core.override import Override
from psmr.core.raft import Settings
from psmr.core.roster import Roster, Seat
from psmr.errors import ConfigurationError, Violation
from psmr.execution.engine import Engine
from psmr.execution.patience import SPINS_PER_US
from psmr.execution.worker import die_with_parent, name_process
from psmr.log.port import Base, SnapshotInstalled
from psmr.log.raft_log import RaftLog
from psmr.replica.aftermath import Aftermath, refuse_diverged
from psmr.replica.clocks import monotonic_us, wall_clock
from psmr.replica.delivery import Delivery
from psmr.replica.disk import Disk
from psmr.replica.parting import Parting, ReplicaParted
from psmr.replica.replica import Replica, WorkerDied
from psmr.replica.snapshots import NEVER_BYTES, SnapshotPlan, VersionReached
from psmr.replica.versions import successor_check
from psmr.replica.ways import way_of
from psmr.storage import Claim, HardState, LogStore, claim
from psmr.storage.founders import founders_of
from psmr.transport.client_port import ClientPort
from psmr.transport.peers import PeerLinks

RESTARTS_MAX = 5
"""So often in a row a replica starts again because a worker died; then a command kills its worker each time."""
SHORT_LIFE_S = 60.0

SWITCH_INTERVAL_S = 0.0005
"""The log's writer thread must not wait 5 ms, the default, for its turn while the loop is busy."""
_DEATHS = "PSMR_WORKER_DEATHS"
_PARENT = "PSMR_DIE_WITH_PARENT"
_log = logging.getLogger("psmr.replica")


def serve(
    config: ClusterConfig,
    replica_id: int,
    owner: type[StateMachine],
    *,
    joins: bool = False,
    override: Override | None = None,
) -> int:
    """Run one replica until SIGTERM or SIGINT; 0 then. Raises ConfigurationError and Violation, ReplicasDiverged among them.

    `joins`: in a new folder it founds nothing, and waits to be added. `override`: what the log is to say of this
    service. When a worker dies, another replica's snapshot has been fetched, or another version takes over, the process executes
    itself anew: same process id, everything else from its disk, and the service from its source as that is then.
    """
    parent = os.environ.get(_PARENT)
    if parent:
        die_with_parent(int(parent))
    name_process(f"psmr-replica-{replica_id}")
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    logging.basicConfig(level=logging.INFO, format=f"replica {replica_id} %(message)s", stream=sys.stderr)
    started_s = time.monotonic()
    try:
        _serve(config, replica_id, owner, joins=joins, override=override)
    except WorkerDied as died:
        _start_again(died, time.monotonic() - started_s)
    except SnapshotInstalled as installed:
        _log.info("%s; starts again from it", installed)
        _execute_anew()
    except VersionReached as reached:
        _log.info("%s; starts again with it", reached)
        _execute_anew()
    return 0


def cluster_id(config: ClusterConfig) -> int:
    """The cluster's number, from its name: what its messages and segments carry."""
    return xxhash.xxh3_64_intdigest(config.name.encode())


def _claim(config: ClusterConfig, replica_id: int, service: Service) -> Claim:
    return claim(
        config.folder(replica_id),
        cluster=config.name,
        cluster_id=cluster_id(config),
        replica_id=replica_id,
        service=service.name,
        fingerprint=service.fingerprint,
        check_successor=successor_check(config.folder(replica_id), cluster_id(config), service),
    )


def _serve(
    config: ClusterConfig, replica_id: int, owner: type[StateMachine], *, joins: bool, override: Override | None
) -> None:
    me = config.replica(replica_id)
    service = service_of(owner)
    with ExitStack() as stack:
        stack.enter_context(_claim(config, replica_id, service))
        refuse_diverged(config.folder(replica_id))
        engine = Engine(
            owner,
            me.workers,
            compiled=config.execution == "compiled",
            ring_bytes=config.tuning.ring_mib << 20,
            spin=config.tuning.spin_us * SPINS_PER_US,
            patience=config.tuning.patience_us * SPINS_PER_US,
            look_ahead=config.tuning.lookahead,
            digests=config.tuning.digests,
        )
        stack.callback(engine.close)
        disk = Disk.opened(config.folder(replica_id), cluster_id(config), service.fingerprint)
        base, sessions, position, overrides = disk.restore(engine)
        engine.start()
        log = _open_log(config, replica_id, disk, base, stack, joins=joins)
        members = {replica.id: replica.clients for replica in config.replicas}
        port = ClientPort(me.clients, service, config.name, replica_id, members)
        stack.callback(port.close)
        events = disk.open_events(
            engine, position, bytes_max=config.tuning.events_mib << 20, sync=config.durability == "disk"
        )
        stack.callback(events.close)
        rolling = disk.rolling() if config.tuning.digests else None
        delivery = Delivery(
            sessions, engine, base.index, base.time_us, overrides=overrides, events=events, rolling=rolling
        )
        plan = _plan(config, replica_id, disk, base.index)
        stack.callback(plan.close)
        identity = {
            "cluster": config.name,
            "replica": replica_id,
            "service": config.service,
            "version": service.version,
            "fingerprint": f"{service.fingerprint:#018x}",
            "clients": me.clients,
        }
        parting = _parting(config, replica_id, log, delivery)
        if parting is not None:
            stack.callback(parting.close)
        replica = Replica(identity, log, delivery, port, monotonic_us, plan, events, override, parting)
        _stop_on_signals(replica)
        _settle_garbage()
        _log.info("serves %s at %s", config.service, me.clients)
        try:
            replica.run()
        except ReplicaParted as found:
            port.close()
            plan.close()
            if parting is not None:
                after = Aftermath(replica_id, log, delivery, parting, found.parted, lambda: replica.is_stopping)
                raise after.run() from None


def _parting(config: ClusterConfig, replica_id: int, log: RaftLog, delivery: Delivery) -> Parting | None:
    """What compares this replica with the others, unless that is switched off."""
    if delivery.rolling is None:
        return None
    is_compiled = config.execution == "compiled"
    folder = config.folder(replica_id)
    return Parting(replica_id, log, delivery, delivery.rolling, folder, config.service, is_compiled)


def _plan(config: ClusterConfig, replica_id: int, disk: Disk, index: int) -> SnapshotPlan:
    """Snapshots at places that differ from replica to replica, so that they do not all write at the same time."""
    every_bytes = (config.tuning.snapshot_mib << 20) or NEVER_BYTES
    ids = sorted(replica.id for replica in config.replicas)
    first_bytes = every_bytes + every_bytes * ids.index(replica_id) // len(ids)
    return SnapshotPlan(disk.taker, every_bytes, first_bytes, index)


def _open_log(
    config: ClusterConfig, replica_id: int, disk: Disk, base: Base, stack: ExitStack, *, joins: bool
) -> RaftLog:
    folder = config.folder(replica_id)
    durable = config.durability == "disk"
    store = LogStore(
        folder,
        durable,
        config.tuning.segment_mib << 20,
        cluster_id=cluster_id(config),
        base=(base.index, base.term),
        archive=config.tuning.archive,
    )
    if store.recovered:
        _log.warning("%s", store.recovered)
    known = Roster(tuple(Seat(each.id, each.peers, each.clients) for each in config.replicas))
    links = PeerLinks(replica_id, cluster_id(config), {seat.id: seat.peers for seat in known.seats}, way_of(replica_id))
    log = RaftLog(
        replica_id,
        founders_of(folder, Roster() if joins else known),
        links,
        store,
        HardState(folder, sync=durable),
        seed=int.from_bytes(os.urandom(8), "little"),
        wall_clock_us=wall_clock(config.data, replica_id),
        settings=Settings(
            election_timeout_us=config.tuning.election_timeout_ms * 1000,
            heartbeat_us=config.tuning.heartbeat_ms * 1000,
            max_entries_in_flight=256,
            defer_us=min(config.tuning.defer_us, config.tuning.heartbeat_ms * 500),
        ),
        base=base,
        snapshots=disk.kept,
        retained_bytes=config.tuning.retain_mib << 20,
    )
    stack.callback(log.close)
    return log


def _settle_garbage() -> None:
    """Take what the imports left out of the collector's sight: looking through it all again would stop the loop for 100 ms."""
    gc.collect()
    gc.freeze()


def _stop_on_signals(replica: Replica) -> None:
    def stop(number: int, frame: FrameType | None) -> None:
        replica.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)


def deaths_in_a_row(before: str, died: WorkerDied, lived_s: float) -> int:
    """How many times, this one included, a worker died for what may be one reason; `before`: the last time's report.

    The same place in the log again is one reason however long replay takes to get there; so is any death soon after
    the start. Workers killed now and then over a long life (out of memory, by hand) are not.
    """
    count, _, last_place = before.partition(" ")
    is_same_place = not died.is_idle and str(died) == last_place
    return int(count or 0) + 1 if is_same_place or lived_s < SHORT_LIFE_S else 1


def _start_again(died: WorkerDied, lived_s: float) -> None:
    """Execute this program anew, unless that was done too often."""
    deaths = deaths_in_a_row(os.environ.get(_DEATHS, ""), died, lived_s)
    if deaths > RESTARTS_MAX:
        raise Violation(
            f"{died}; started again {RESTARTS_MAX} times and it happened each time: the command at that place kills "
            'its worker; run the replica with execution = "interpreted" to see why'
        )
    _log.error("%s; starts again from its log", died)
    os.environ[_DEATHS] = f"{deaths} {died}"
    _execute_anew()


def _execute_anew() -> None:
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


__all__ = ["ConfigurationError", "cluster_id", "serve"]
