"""The cluster's file."""

from __future__ import annotations

from pathlib import Path

from psmr.config import ClusterConfig, load, local_cluster, parse
from psmr.config.cluster import REPLICA, REPLICAS_MAX, TUNING
from psmr.config.reading import Integer
from psmr.errors import ConfigurationError
from psmr.fuzzing.target import Target

_TOKENS = (
    b"[" * 2000,
    b"{a=" * 2000,
    b"9" * 5000,
    b"0x" + b"f" * 5000,
    b"a." * 2000,
    b"inf",
    b"nan",
    b"-1",
    b"1_0",
    b"true",
    b"1979-05-27T07:32:00Z",
    b"0001-01-01",
    b'"""',
    b"'",
    b"\\u0000",
    b"\\ud800",
    b"\\",
    b"\xff",
    b"\n",
    b"[[replica]]\n",
    b"[tuning]\n",
    b"heartbeat_ms = 0\n",
    b"workers = 17\n",
    b" = ",
    b"#",
    b"tcp://[::1]:0",
    b"ipc://@",
)


def cluster_file(folder: Path) -> Target:
    """The cluster's file, as `psmr up` reads it."""
    plain = local_cluster("demo", "apps.kv:KV", folder, token="ab12", replicas=3)
    tuned = local_cluster("one", "kv", folder / "data \u00e4", token="ff", replicas=1, durability="memory", workers=16)
    text = (
        tuned.to_toml()
        + "\n[tuning]\nheartbeat_ms = 20\nelection_timeout_ms = 100\nlookahead = 3\nring_mib = 32\nspin_us = 0\n"
    )
    tcp = plain.to_toml().replace("ipc://@psmr-demo-ab12-1-peers", "tcp://[::1]:7101")
    corpus = tuple(each.encode() for each in (plain.to_toml(), text, tcp))
    path = folder / "cluster.toml"

    def decode(data: bytes) -> ClusterConfig:
        path.write_bytes(data)
        return load(path)

    return Target("config", corpus, decode, (ConfigurationError,), _wrong_config, tokens=_TOKENS)


def _wrong_config(_: bytes, found: ClusterConfig) -> str | None:
    """Within its documented bounds, and the same when it is written and read again."""
    numbers = [(TUNING, found.tuning), *((REPLICA, replica) for replica in found.replicas)]
    for kinds, holder in numbers:
        for key, kind in kinds.items():
            if isinstance(kind, Integer) and kind.accept(getattr(holder, key)) is None:
                return f"{key} = {getattr(holder, key)!r}: expected {kind.expected}"
    distinct = {value for each in found.replicas for value in (each.id, each.peers, each.clients)}
    if not 1 <= len(found.replicas) <= REPLICAS_MAX or len(distinct) != 3 * len(found.replicas):
        return f"replicas {found.replicas!r}"
    again = parse(found.to_toml(), Path("/"))
    return None if again == found else f"{found!r} became {again!r}"
