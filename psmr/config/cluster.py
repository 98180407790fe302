"""The cluster's file: which service, how durable, and where each replica listens.

    [cluster]
    name = "demo"
    service = "apps.kv:KV"            # module:class, or a module with one state machine or a SERVICE
    durability = "disk"               # or "memory"
    data = "./data"                   # relative to this file; one sub-folder a replica
    execution = "compiled"            # or "interpreted"
    lint = "on"                       # or "off": run handlers that may make replicas differ

    [[replica]]
    id = 1
    peers = "tcp://127.0.0.1:7101"    # for the other replicas; also ipc://@name
    clients = "tcp://127.0.0.1:7201"  # for clients
    workers = 2

    [tuning]                          # optional, each key of it too: see `Tuning`
    heartbeat_ms = 75

Every mistake is a `ConfigurationError` of one line: file, key, what was expected, what was found, what to do.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from psmr.config.reading import (
    Address,
    Boolean,
    Choice,
    Integer,
    Kind,
    Pattern,
    Table,
    Text,
    fail,
    read_table,
    require_table,
    shown,
)
from psmr.errors import ConfigurationError

REPLICAS_MAX = 7
WORKERS_MAX = 16
NAME = Pattern(r"[a-z0-9][a-z0-9_-]{0,31}", 'a name of up to 32 of a-z, 0-9, "-" and "_", such as "demo"')
SERVICE = Pattern(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*(:[A-Za-z_]\w*)?", 'a module or module:class, such as "apps.kv:KV"')


@dataclass(frozen=True, slots=True)
class ReplicaConfig:
    """One replica: its id, its two addresses, its workers."""

    id: int
    peers: str
    clients: str
    workers: int = 2


@dataclass(frozen=True, slots=True)
class Tuning:
    """What rarely needs to be changed. No value of these can change a result, only how soon it comes."""

    election_timeout_ms: int = 150
    """Silence after which a follower stands for election; at least twice the heartbeat."""
    heartbeat_ms: int = 75
    defer_us: int = 5_000
    """So long followers may wait that no commit waits for; 0: a leader sends everything to all at once."""
    segment_mib: int = 64
    """Size of one file of the log."""
    snapshot_mib: int = 512
    """After so much log a replica takes a snapshot and the log before it goes; 0: never, and the log grows for ever."""
    retain_mib: int = 2048
    """So much log a leader keeps beyond that for members that lag behind: they need no snapshot then."""
    events_mib: int = 1024
    """So many events a replica keeps for those who follow them; the oldest go first."""
    digests: bool = True
    """Whether replicas tell each other digests of what commands did, so that one which has parted from the others stops."""
    archive: bool = False
    """Whether segments that a snapshot makes superfluous are kept, in a sub-folder, instead of removed."""
    ring_mib: int = 64
    """Size of the ring through which delivery hands batches to workers; any batch must fit."""
    spin_us: int = 20
    """How long a worker that waits spins before it sleeps."""
    patience_us: int = 800
    """As long, at most, a worker spins that waits for another, while nothing on the machine waits for a processor."""
    lookahead: int = 8
    """A barrier is held on to while the next synchronous command is within so many commands."""


@dataclass(frozen=True, slots=True)
class ClusterConfig:
    """A cluster as its file describes it; checked, so that whoever holds one need not check again."""

    name: str
    service: str
    data: Path
    """Absolute."""
    replicas: tuple[ReplicaConfig, ...]
    durability: str = "disk"
    execution: str = "compiled"
    lint: str = "on"
    """"off": a service in which `psmr cdep lint` finds something is started all the same."""
    tuning: Tuning = field(default_factory=Tuning)

    def replica(self, replica_id: int) -> ReplicaConfig:
        """The replica of that id, or a ConfigurationError that says which there are."""
        for replica in self.replicas:
            if replica.id == replica_id:
                return replica
        there_are = ", ".join(str(replica.id) for replica in self.replicas)
        raise ConfigurationError(
            f'cluster "{self.name}" has no replica {replica_id}: it has {there_are}; give one of them, or write a [[replica]] '
            f"with id = {replica_id} into its file"
        )

    def folder(self, replica_id: int) -> Path:
        """Where the replica of that id keeps its log."""
        return self.data / f"replica-{self.replica(replica_id).id}"

    def to_toml(self) -> str:
        """The file that `parse` reads back as this configuration."""
        cluster = {key: getattr(self, key) for key in CLUSTER}
        parts = ["[cluster]", *_assignments(cluster)]
        for replica in self.replicas:
            parts += ["", "[[replica]]", *_assignments({key: getattr(replica, key) for key in REPLICA})]
        if self.tuning != Tuning():
            parts += ["", "[tuning]", *_assignments({key: getattr(self.tuning, key) for key in TUNING})]
        return "\n".join(parts) + "\n"


CLUSTER: dict[str, Kind] = {
    "name": Text(NAME),
    "service": Text(SERVICE),
    "durability": Choice(("disk", "memory"), default="disk"),
    "data": Text(Pattern(r"[^\0]+", 'a folder, such as "./data"'), default="./data"),
    "execution": Choice(("compiled", "interpreted"), default="compiled"),
    "lint": Choice(("on", "off"), default="on"),
}
REPLICA: dict[str, Kind] = {
    "id": Integer(1, 255),
    "peers": Address(),
    "clients": Address(),
    "workers": Integer(1, WORKERS_MAX, default=2),
}
TUNING: dict[str, Kind] = {
    "election_timeout_ms": Integer(10, 60_000, default=Tuning().election_timeout_ms),
    "heartbeat_ms": Integer(1, 30_000, default=Tuning().heartbeat_ms),
    "defer_us": Integer(0, 1_000_000, default=Tuning().defer_us),
    "segment_mib": Integer(1, 1024, default=Tuning().segment_mib),
    "snapshot_mib": Integer(0, 1 << 20, default=Tuning().snapshot_mib),
    "retain_mib": Integer(0, 1 << 20, default=Tuning().retain_mib),
    "events_mib": Integer(1, 1 << 20, default=Tuning().events_mib),
    "digests": Boolean(default=Tuning().digests),
    "archive": Boolean(default=Tuning().archive),
    "ring_mib": Integer(32, 1024, default=Tuning().ring_mib),
    "spin_us": Integer(0, 10_000, default=Tuning().spin_us),
    "patience_us": Integer(0, 10_000, default=Tuning().patience_us),
    "lookahead": Integer(0, 1_000_000, default=Tuning().lookahead),
}
TABLES = ("cluster", "replica", "tuning")
PLACES = {
    key: line
    for line, kinds in (("[cluster]", CLUSTER), ("each [[replica]]", REPLICA), ("[tuning]", TUNING))
    for key in kinds
}
"""Which table a key belongs to, for who has written it in another."""


def load(path: str | Path) -> ClusterConfig:
    """The cluster that the file at `path` describes."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigurationError(f"{path}: expected the cluster's file, found none: give the path of one") from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"{path}: expected UTF-8 text, found byte {error.object[error.start]:#04x} "
            f"at {error.start}: save it as UTF-8"
        ) from None
    except OSError as error:
        raise ConfigurationError(f"{path}: expected a file that can be read, found: {error.strerror}") from None
    return parse(text, path.parent, source=str(path))


def parse(text: str, base: Path, *, source: str = "cluster.toml") -> ClusterConfig:
    """The cluster that `text` describes; a relative `data` lies below `base`. Messages call the text `source`."""
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        # Besides its own error, which is a ValueError, the parser lets through those of integers of too many digits and of
        # tables nested too deep.
        raise ConfigurationError(f"{source}: expected TOML, found: {error}: correct that line") from None
    top = require_table(source, "", document, TABLES, ("cluster", "replica"), PLACES)
    cluster = read_table(source, "cluster", top["cluster"], CLUSTER, PLACES)
    config = ClusterConfig(
        **{**cluster, "data": (base / cluster["data"]).resolve()},
        replicas=_replicas(source, top["replica"]),
        tuning=_tuning(source, top.get("tuning", {})),
    )
    _check_distinct(source, config.replicas)
    return config


def local_cluster(
    name: str,
    service: str,
    folder: Path,
    *,
    token: str,
    replicas: int = 3,
    workers: int = 2,
    durability: str = "disk",
    execution: str = "compiled",
    lint: str = "on",
    tuning: Tuning | None = None,
) -> ClusterConfig:
    """A cluster on this machine, its data in `folder`, at abstract addresses: no ports to choose, no files to remove.

    `token` (a few random hexadecimal digits, drawn by the caller) keeps two clusters of one name apart.
    """
    addresses = f"ipc://@psmr-{name}-{token}"
    config = ClusterConfig(
        name=name,
        service=service,
        data=folder.resolve(),
        replicas=tuple(
            ReplicaConfig(number, f"{addresses}-{number}-peers", f"{addresses}-{number}-clients", workers)
            for number in range(1, replicas + 1)
        ),
        durability=durability,
        execution=execution,
        lint=lint,
        tuning=tuning or Tuning(),
    )
    return parse(config.to_toml(), folder, source="local cluster")


def with_replica(config: ClusterConfig, number: int, workers: int) -> ClusterConfig:
    """A cluster that `local_cluster` made, with one replica more, at addresses like the others'."""
    like = config.replicas[0]
    peers, clients = (
        text.removesuffix(f"-{like.id}-{end}") + f"-{number}-{end}"
        for text, end in ((like.peers, "peers"), (like.clients, "clients"))
    )
    return replace(config, replicas=(*config.replicas, ReplicaConfig(number, peers, clients, workers)))


def _replicas(source: str, value: Any) -> tuple[ReplicaConfig, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= REPLICAS_MAX:
        found = f"{len(value)} of them" if isinstance(value, list) else "one [replica]"
        expected = f"1 to {REPLICAS_MAX} tables [[replica]] (3 survive the loss of one, 5 of two)"
        fail(source, "replica", expected, found, "write one [[replica]], in double brackets, for each")
    return tuple(
        ReplicaConfig(**read_table(source, f"replica[{place}]", table, REPLICA, PLACES))
        for place, table in enumerate(value, start=1)
    )


def _tuning(source: str, value: Any) -> Tuning:
    tuning = Tuning(**read_table(source, "tuning", value, TUNING, PLACES))
    if tuning.election_timeout_ms < 2 * tuning.heartbeat_ms:
        fail(
            source,
            "tuning.election_timeout_ms",
            f"at least twice heartbeat_ms ({tuning.heartbeat_ms})",
            str(tuning.election_timeout_ms),
            "raise it, or lower heartbeat_ms: else followers stand for election while their leader is well",
        )
    return tuning


def _check_distinct(source: str, replicas: Iterable[ReplicaConfig]) -> None:
    taken: dict[object, str] = {}
    for place, replica in enumerate(replicas, start=1):
        for key in ("id", "peers", "clients"):
            value = getattr(replica, key)
            here = f"replica[{place}].{key}"
            if value in taken:
                kind = "id" if key == "id" else "address"
                fail(
                    source,
                    here,
                    f"an {kind} of its own",
                    f"{shown(value)}, which is {taken[value]} too",
                    "change one of them",
                )
            taken[value] = here


def _assignments(values: Table) -> list[str]:
    return [f"{key} = {_literal(value)}" for key, value in values.items()]


def _literal(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else _quoted(str(value))


def _quoted(text: str) -> str:
    """A TOML basic string: JSON's, but for the one control character that JSON lets stand."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
